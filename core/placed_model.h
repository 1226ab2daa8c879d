// The model's module tree with the rule that hits each module and parameter, and every parameter's placement. List
// elements that are alike in type, rules and placements share one node, so equal layers are placed and analysed once.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/effective_plan.h"
#include "core/machine.h"
#include "core/matching.h"
#include "core/model.h"
#include "core/parameter_placement.h"
#include "core/strategy.h"

namespace tpsim {

struct PlacedChild {
  bool is_list = false;
  std::vector<int> nodes;  // one, or one per list element
};

struct PlacedNode {
  int type = 0;
  int rule = -1;                     // on the module; index into PlacedModel::rules
  std::vector<int> parameter_rules;  // one per own parameter
  std::vector<PlacedParameter> parameters;
  std::vector<PlacedChild> children;
  bool has_split_parameters = false;   // here or below
  bool replicated_by_default = false;  // 4.52, 4.53: parameters without a rule are DTensors
};

// A refusal while the plan is applied or the weights are loaded.
struct LoadFault {
  Cause cause;
  bool while_loading = false;  // weights; else while hooks and wrappers are installed
};

struct PlacedModel {
  std::vector<ResolvedRule> rules;  // tensor rules, then expert rules
  int expert_rules_begin = 0;
  std::vector<PlacedNode> nodes;
  int root = 0;
  std::vector<LoadFault> faults;
  bool distributes_everything = false;  // 4.52, 4.53: buffers are DTensors, too

  const PlacedNode& node(int i) const { return nodes[static_cast<std::size_t>(i)]; }
};

// The behaviour behind a rule, or the user's own strategy.
struct RuleStrategy {
  std::optional<StrategyKind> kind;
  const CustomStrategy* custom = nullptr;
};
RuleStrategy strategy_of(const ResolvedRule& rule, const Dialect& dialect, const StrategySet& custom);

PlacedModel place_model(Machine& m, const Model& model, const EffectivePlan& plan, const AnalysisRequest& request);

}  // namespace tpsim
