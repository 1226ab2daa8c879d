// What a release refuses about a plan before anything is loaded; the list stands in core/effective_plan.h.
#pragma once

#include <string_view>
#include <vector>

#include "core/effective_plan.h"
#include "core/rule_dict.h"

namespace tpsim {

struct RefusalInputs {
  const Model& model;
  const AnalysisRequest& request;
  const ShippedPlans& shipped;
  const RuleDict& automatic;                 // tensor plan without the user's dictionary
  const RuleDict& tensor;                    // with it
  const RuleDict& expert;                    // expert plan, applied or not
  const std::vector<ResolvedRule>& applied;  // tensor rules that are left beside the expert plan
};

std::vector<Diagnostic> find_refusals(const RefusalInputs& inputs);

// Known to the dialect, an extension, or one of the user's own.
bool is_known_strategy(std::string_view name, const Dialect& dialect, const StrategySet& custom);

}  // namespace tpsim
