// What the flags of a run name, loaded.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/inputs.h"
#include "core/analyze.h"
#include "core/measurement.h"
#include "exec/run_input.h"
#include "exec/run_plan.h"

namespace tpsim::cli {

// Everything that a run needs, loaded.
struct RunSetup {
  ModelInput model;
  PlanInput plan;
  StrategySet custom;
  std::unique_ptr<exec::Weights> weights;
  std::string weight_source;
  exec::RunInput input;
  std::map<std::string, std::vector<float>> gradients;  // real ones
  int tp = 1;
  DType dtype = DType::fp32;
};

// Hardware and stack that the predictions of runs are about: --hw, --profile and --stack, else a generic processor.
struct RunMachine {
  Hardware hardware;
  Stack stack;
};
Result<RunMachine> load_run_machine(Options options);

// Model, plan, TP size and dtype.
Result<void> load_planned_model(const Options& options, RunSetup& loaded);
// All of it. In place: the weights refer to the model.
Result<void> load_run(const Options& options, RunSetup& loaded);
exec::RunRequest request_of(const RunSetup& loaded, const Options& options);
// What one measured pass of such a run is the analysis of.
AnalysisRequest request_of(const RunSetup& setup, const Options& options, const PassMeasurement& pass);

}  // namespace tpsim::cli
