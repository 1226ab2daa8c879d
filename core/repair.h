// Edits of a plan that make it right, each proven by an analysis. Slower than analyze() by the number of edits tried,
// so commands and the visualizer call it where a person asks; analyze() itself never does.
#pragma once

#include <optional>
#include <vector>

#include "core/analyze.h"

namespace tpsim {

// The plan that a patch is applied to, and how it is given: the user's own, or the shipped one as a manual plan.
PlanChoice editable_plan(const Model& model, const AnalysisRequest& request);

// At most `limit` edits after which the verdict is "right", the cheapest first: fewest changes, then least bytes of
// weights on the heaviest rank, then least communication. Empty where the verdict is right already, or no edit helps
// (then a TP size may).
struct RepairSearch {
  std::vector<Fix> fixes;
  int runs = 0;
  bool is_cut = false;  // the plan is too large for trying everything
};
RepairSearch search_repairs(const Model& model, const AnalysisRequest& request, const Analysis& analysis,
                            std::size_t limit = 3);
std::vector<Fix> find_repairs(const Model& model, const AnalysisRequest& request, const Analysis& analysis,
                              std::size_t limit = 3);
std::optional<Fix> find_repair(const Model& model, const AnalysisRequest& request, const Analysis& analysis);

// Puts the repairs, the TP sizes that work and kv-head replication as fixes on the first error, drops edits of other
// errors that do not mend what they belong to, and adds TP205 where gathering and cutting again can be left out.
void attach_repairs(const Model& model, const AnalysisRequest& request, Analysis& analysis);

}  // namespace tpsim
