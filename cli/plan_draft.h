// A first plan for a model that ships none.
#pragma once

#include <string>
#include <vector>

#include "cli/scenario.h"
#include "core/plan.h"

namespace tpsim::cli {

struct Draft {
  Plan plan;
  bool shipped = false;               // it is the plan that Transformers ships
  std::vector<std::string> left_out;  // modules for which no combination gave right numbers
};

// The shipped plan if there is one. Else the linear layers of each block, embeddings and head get the strategies with
// which the analysis at `tp` stays right: inputs of a block column-wise and its output row-wise, or the same with
// gathered outputs; what stays wrong either way is left out.
Result<Draft> draft_plan(Scenario scenario, int tp);

}  // namespace tpsim::cli
