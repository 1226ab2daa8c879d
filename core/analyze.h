// From a model and a plan to an Analysis.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "core/strategy.h"

namespace tpsim {

struct Recording;

enum class PlanKind { automatic, none, manual };

struct PlanChoice {
  PlanKind kind = PlanKind::automatic;
  Plan plan;               // manual
  bool base_plan = false;  // the manual plan is a config class's base_model_tp_plan: keys relative to the base model
  std::optional<Plan> expert_plan;  // overrides the shipped expert plan
};

struct AnalysisRequest {
  Dialect dialect = kNewestDialect;
  Parallelism parallelism;
  Workload workload;
  PlanChoice plan;
  StrategySet custom;  // strategies described by data (core/strategy.h)
};

// Never fails on a bad plan: what is wrong with it is the verdict and the diagnostics. Errors: sizes that no mesh can
// have (tp < 1, more than kMaxRanks), or a data file that cannot be used.
inline constexpr int kMaxRanks = 1024;
// With a `recording`, what every rank does is written down there; it is whole where the analysis is complete.
Result<Analysis> analyze(const Model& model, const AnalysisRequest& request, Recording* recording = nullptr);

// Sizes from 1 to `limit` at which the verdict is "right", by running the analysis at each.
std::vector<int> valid_tp_sizes(const Model& model, const AnalysisRequest& request, int limit = 64);

}  // namespace tpsim
