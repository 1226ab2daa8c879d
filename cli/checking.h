// The state of a plan at some TP sizes, and its repair.
#pragma once

#include <string>
#include <vector>

#include "cli/problems.h"
#include "cli/scenario.h"

namespace tpsim::cli {

struct SizeVerdict {
  int tp = 1;
  Verdict verdict = Verdict::right;
  std::vector<std::string> reasons;
};

struct PlanCheck {
  std::vector<SizeVerdict> verdicts;
  std::vector<Problem> problems;
  Analysis analysis;  // of the first size

  std::int64_t count(Severity severity) const;
};
Result<PlanCheck> check_plan(const Scenario& scenario, const std::vector<int>& sizes);

struct Repair {
  Plan plan;
  std::vector<std::string> applied;  // "TP201: use "model.layers.*.mlp.gate_proj""
};
// Applies the first edit of each problem that helps: its problem is gone and there are not more errors than before.
// Changes scenario.plan.
Result<Repair> repair_plan(Scenario& scenario, const std::vector<int>& sizes);

}  // namespace tpsim::cli
