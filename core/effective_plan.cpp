#include "core/effective_plan.h"

#include <algorithm>

#include "core/matching.h"
#include "core/module_names.h"
#include "core/plan_refusals.h"
#include "core/rule_dict.h"
#include "core/strategy.h"

namespace tpsim {
namespace {

constexpr const char* kEmbedding = "embed_tokens";
constexpr const char* kEmbeddingStrategy = "embedding_rowwise";

// The class's own rules (lm_head) were overwritten in the other releases.
bool keeps_class_plan(const Dialect& d) {
  return d.below(4, 51) || (d.at_least(4, 55) && d.below(4, 56)) || d.at_least(5, 14);
}
bool injects_when_tied(const Dialect& d) { return d.at_least(5, 15) && d.below(5, 21); }
bool injects_always(const Dialect& d) { return d.at_least(5, 21); }
bool overrides_rules(const Dialect& d) { return d.at_least(5, 19); }
// `{}`: all rules off. Up to 5.14 it was recorded as "auto", and 5.19 merges it into the automatic plan.
bool empty_dict_means_auto(const Dialect& d) { return d.below(5, 15) || (d.at_least(5, 19) && d.below(5, 20)); }

Rule injected_rule() { return {kEmbedding, kEmbeddingStrategy, {}, {}}; }

bool base_has_embedding(const Model& model) {
  const ModuleType* child = base_child(model, kEmbedding);
  return child != nullptr && is_embedding(*child);
}

class Merger {
public:
  Merger(const Model& model, const AnalysisRequest& request)
      : model_(model),
        request_(request),
        dialect_(request.dialect),
        choice_(request.plan),
        shipped_(shipped_plans(model.model_type, request.dialect)),
        prefix_(model.base.empty() ? "" : model.base + ".") {
    if (given_to_config()) replace_shipped();
  }

  EffectivePlan run() && {
    name_plan();
    merge_tensor_plan();
    if (request_.parallelism.ep > 1) merge_expert_plan();
    combine();
    for (auto* rules : {&plan_.rules, &plan_.expert_rules})
      for (auto& resolved : *rules)
        resolved.known_strategy = is_known_strategy(resolved.rule.strategy, dialect_, request_.custom);
    plan_.refusals = find_refusals({model_, request_, shipped_, automatic_, tensor_, expert_, plan_.rules});
    return std::move(plan_);
  }

private:
  bool given_to_config() const { return choice_.kind == PlanKind::manual && choice_.base_plan; }
  bool given_to_loader() const { return choice_.kind == PlanKind::manual && !choice_.base_plan; }

  void replace_shipped() {
    shipped_.config_plan = choice_.plan;
    shipped_.has_config_plan = true;
    if (!choice_.expert_plan) return;
    shipped_.expert_plan = *choice_.expert_plan;
    shipped_.has_expert_plan = true;
  }

  void name_plan() {
    if (choice_.kind == PlanKind::none) {
      plan_.name = "none";
      return;
    }
    plan_.name = choice_.kind == PlanKind::automatic ? "auto" : choice_.plan.name;
    if (shipped_.version.empty()) return;
    plan_.source = "transformers " + shipped_.version;
    if (shipped_.is_newer) plan_.source += ", the first release read with model type " + model_.model_type;
  }

  RuleDict config_rules() const {
    const RuleOrigin origin = given_to_config() ? RuleOrigin::user : RuleOrigin::config_plan;
    const bool named = shipped_.config_plan.find(kEmbedding) != nullptr;
    RuleDict rules;
    if (injects_always(dialect_) && !shipped_.config_plan.rules.empty() && !named && base_has_embedding(model_))
      rules.set(injected_rule(), RuleOrigin::injected);
    rules.set_all(shipped_.config_plan.rules, origin);
    if (injects_when_tied(dialect_) && model_.tied && shipped_.has_config_plan)
      rules.set(injected_rule(), RuleOrigin::injected);
    return rules;
  }

  RuleDict automatic_rules() {
    RuleDict rules;
    if (keeps_class_plan(dialect_))
      rules.set_all(shipped_.class_plan.rules, RuleOrigin::class_plan);
    else
      ignore(shipped_.class_plan.rules, RuleOrigin::class_plan);
    rules.update(config_rules(), prefix_);
    return rules;
  }

  void merge_tensor_plan() {
    if (choice_.kind == PlanKind::none) return;
    automatic_ = automatic_rules();
    const bool user = given_to_loader();
    if (!user || (choice_.plan.rules.empty() && empty_dict_means_auto(dialect_))) {
      tensor_ = automatic_;
      return;
    }
    if (!overrides_rules(dialect_)) plan_.ignored.clear();
    if (overrides_rules(dialect_) && !choice_.plan.rules.empty()) tensor_ = automatic_;
    tensor_.set_all(choice_.plan.rules, RuleOrigin::user);
  }

  void merge_expert_plan() {
    if (choice_.kind == PlanKind::none || dialect_.below(4, 54)) return;
    RuleDict own;
    own.set_all(shipped_.expert_plan.rules, RuleOrigin::expert_plan);
    expert_.update(own, prefix_);
    if (choice_.expert_plan && !choice_.base_plan) expert_.set_all(choice_.expert_plan->rules, RuleOrigin::user);
  }

  // 5.19 on: expert rules win over tensor rules on the same module and below it, and tensor rules need tp > 1. Before,
  // one plan replaced the other.
  void combine() {
    const bool experts = request_.parallelism.ep > 1 && dialect_.at_least(4, 54) && choice_.kind != PlanKind::none;
    if (!experts) {
      plan_.rules = tensor_.rules();
      return;
    }
    if (!overrides_rules(dialect_)) {
      ignore_all(tensor_.rules());
      plan_.rules = expert_.rules();
      return;
    }
    if (request_.parallelism.tp <= 1) tensor_ = {};
    std::vector<ResolvedRule> dropped;
    for (const auto& resolved : tensor_.rules())
      (belongs_to_expert_plan(resolved.rule.key) ? dropped : plan_.rules).push_back(resolved);
    if (applies_expert_plan()) {
      plan_.expert_rules = expert_.rules();
      return;
    }
    ignore_all(dropped);
    ignore_all(expert_.rules());
  }

  bool belongs_to_expert_plan(std::string key) const {
    while (!expert_.contains(key)) {
      const auto dot = key.rfind('.');
      if (dot == std::string::npos) return false;
      key.resize(dot);
    }
    return true;
  }

  // Without a style that moves or masks tokens the expert plan is dropped, silently.
  bool applies_expert_plan() const {
    if (names("ep_dispatch_experts") || names("all_to_all_experts")) return true;
    if (dialect_.at_least(5, 23)) return false;
    return (names("ep_router") && names("moe_tp_experts")) || (dialect_.at_least(5, 20) && names("megamoe_experts"));
  }

  // The plan is looked through after its keys have become names of modules.
  bool names(std::string_view strategy) const {
    const std::vector<std::string> patterns = sorted_patterns(module_names(model_));
    return std::ranges::any_of(expert_.rules(), [&](const auto& r) {
      return r.rule.strategy == strategy && std::ranges::binary_search(patterns, normalise_name(r.rule.key, dialect_));
    });
  }

  void ignore(const std::vector<Rule>& rules, RuleOrigin origin) {
    for (const auto& rule : rules) {
      ResolvedRule resolved;
      resolved.rule = rule;
      resolved.origin = origin;
      plan_.ignored.push_back(std::move(resolved));
    }
  }
  void ignore_all(const std::vector<ResolvedRule>& rules) {
    plan_.ignored.insert(plan_.ignored.end(), rules.begin(), rules.end());
  }

  const Model& model_;
  const AnalysisRequest& request_;
  const Dialect& dialect_;
  const PlanChoice& choice_;
  ShippedPlans shipped_;
  std::string prefix_;
  RuleDict automatic_, tensor_, expert_;
  EffectivePlan plan_;
};

}  // namespace

EffectivePlan effective_plan(const Model& model, const AnalysisRequest& request) {
  return Merger(model, request).run();
}

}  // namespace tpsim
