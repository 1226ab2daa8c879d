// A measured run as tpsim run --iters N -o FILE.json has written it.
#pragma once

#include <optional>
#include <string>

#include "cli/run_setup.h"
#include "core/measurement.h"

namespace tpsim::cli {

// What a run says about numbers.
struct NumericSummary {
  std::string verdict;  // "right", "wrong"
  std::optional<double> max_abs, max_rel;
  double band = 0;
  bool events_as_analysed = true;
};

struct StoredRun {
  std::string file;
  std::string model, model_sha256, plan, plan_sha256;  // as the flags named them; plan_sha256 "" = no file
  std::vector<std::string> set;
  bool base_plan = false;
  std::string ep_plan, strategy_file;  // "" = none
  Dialect dialect;
  int tp = 1, ep = 1;
  DType dtype = DType::fp32;
  NumericSummary numeric;
  Measurement measurement;
};

// Errors: not JSON, another schema, a run without measurement, members missing or impossible.
Result<StoredRun> read_stored_run(const std::string& path);

// The flags of the run, with what `given` says about anything else. Errors: `given` names another TP size, dtype, ...
Result<Options> options_of(const StoredRun& run, const Options& given);

// Errors: model or plan are not those of the run.
Result<void> check_same_inputs(const StoredRun& run, const RunSetup& setup);

}  // namespace tpsim::cli
