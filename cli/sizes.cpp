#include "cli/sizes.h"

#include <string>

namespace tpsim::cli {
namespace {

constexpr int kValidLimit = 16;

Result<int> largest_valid(const Model& model, const AnalysisRequest& request) {
  const auto valid = valid_tp_sizes(model, request, kValidLimit);
  if (!valid.empty()) return valid.back();
  Error error = usage_error("--tp valid: no TP size up to " + std::to_string(kValidLimit) + " is valid for this plan");
  error.fixes = {"tpsim check", "--tp " + std::to_string(kDefaultTp)};
  return error;
}

}  // namespace

Result<int> single_tp(const Options& options, const Model& model, const AnalysisRequest& request) {
  if (!options.tp) return kDefaultTp;
  if (options.tp->valid) return largest_valid(model, request);
  if (options.tp->sizes.size() == 1) return options.tp->sizes.front();
  Error error = usage_error("this command looks at one TP size at a time");
  error.fixes = {"--tp " + std::to_string(options.tp->sizes.empty() ? kDefaultTp : options.tp->sizes.back())};
  return error;
}

Result<int> single_tp(const Options& options, const Scenario& scenario) {
  return single_tp(options, scenario.model(), request_for(scenario, 1, Pass::forward));
}

}  // namespace tpsim::cli
