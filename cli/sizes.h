// TP sizes for commands that look at one size.
#pragma once

#include "cli/options.h"
#include "cli/scenario.h"
#include "core/result.h"

namespace tpsim::cli {

inline constexpr int kDefaultTp = 2;

// The only size of --tp, or kDefaultTp; for "valid" the largest valid one of the request's plan. Errors: several sizes.
Result<int> single_tp(const Options& options, const Model& model, const AnalysisRequest& request);
Result<int> single_tp(const Options& options, const Scenario& scenario);

}  // namespace tpsim::cli
