// A prediction held against a run: what `tpsim validate` prints, and the visualizer shows.
#pragma once

#include <string>

#include "cli/run_setup.h"
#include "cli/stored_run.h"
#include "cli/table.h"
#include "core/validation.h"

namespace tpsim::cli {

inline constexpr double kShownShare = 0.01;  // of its pass, from which people see a row

struct Validated {
  RunSetup setup;
  NumericSummary numeric;
  Measurement measurement;
  std::string hardware, stack, profile;
  Validation validation;
  double tolerance = 0;

  bool numbers_right() const { return numeric.verdict == "right"; }
  bool within() const { return validation.worst_total <= tolerance; }
  bool passed() const { return numbers_right() && numeric.events_as_analysed && validation.exact() && within(); }
};

// Loads what a stored run was about, and takes its figures. Errors: model or plan are others than then.
Result<void> take_stored(const StoredRun& run, const Options& options, Validated& v);
// On --hw (this machine's kind without it).
Result<void> predict_and_compare(const Options& options, Validated& v);

// "numeric: sharded vs unsharded max abs 1.7e-06, max rel 5.5e-07 (band 1.7e-05)  PASS"
std::string numeric_line(const NumericSummary& numeric);
Table validation_table(const Validation& v, bool all);

}  // namespace tpsim::cli
