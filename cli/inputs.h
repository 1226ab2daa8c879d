// The inputs that flags name, loaded: strategies, hardware, model, plan.
#pragma once

#include <optional>
#include <string>

#include "cli/options.h"
#include "core/analyze.h"
#include "core/model.h"
#include "core/model_source.h"
#include "core/result.h"
#include "core/strategy.h"
#include "sim/hardware.h"
#include "sim/stack.h"

namespace tpsim::cli {

// An error where more than one input is standard input.
Result<void> check_standard_input(const Options& options);

// Text of a file, or of standard input for "-".
Result<std::string> read_input(const std::string& path);

Result<StrategySet> load_strategies(const Options& options);

// --hw (h100-sxm without it) with --gpus, --nodes and --link applied.
inline constexpr char kDefaultHardware[] = "h100-sxm";
Result<Hardware> load_hardware_input(const Options& options);
// --stack, else that of the profile, else none.
Result<Stack> load_stack(const Options& options, const Hardware& hardware);
// Puts a calibration file in the place of the built-in set.
Result<void> use_profile(Hardware& hardware, const std::string& path);

struct ModelInput {
  ModelSource source;
  Model model;
};
Result<ModelInput> load_model(const Options& options);

struct PlanInput {
  PlanChoice choice;
  std::string text;  // of a plan file, for excerpts
  std::string file;  // as given, "" for auto and none
};
Result<PlanInput> load_plan(const Options& options);

}  // namespace tpsim::cli
