#include "core/plan_refusals.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/matching.h"
#include "core/module_names.h"
#include "core/strategy.h"
#include "core/suggest.h"

namespace tpsim {
namespace {

constexpr std::size_t kMostKeys = 100;  // reported one by one; a further one says how many more

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string library_says(std::string_view exception, std::string_view words) {
  return "Transformers: " + std::string(exception) + " " + quoted(words) + ", before any weight is loaded";
}

Diagnostic about_rule(std::string code, const Rule& rule, std::string message) {
  Diagnostic d;
  d.code = std::move(code);
  d.where = rule.key;
  d.rule = rule.key + ": " + rule.strategy;
  d.position = rule.position;
  d.message = std::move(message);
  return d;
}

Diagnostic about_run(std::string message, std::string detail, std::string fix) {
  Diagnostic d;
  d.code = "TP114";
  d.message = std::move(message);
  if (!detail.empty()) d.details.push_back(std::move(detail));
  d.fixes.push_back({std::move(fix), {}});
  return d;
}

std::vector<std::string> near_strategies(const std::string& name, const Dialect& dialect, const StrategySet& custom) {
  std::vector<std::string> names;
  for (const auto& s : custom) names.push_back(s.name);
  for (const auto known : strategy_names(dialect)) names.emplace_back(known);
  std::vector<std::string> near = nearest(name, names);
  if (const auto same = equivalent_name(name, dialect)) {
    std::erase(near, std::string(*same));
    near.insert(near.begin(), std::string(*same));
  }
  return near;
}

// "did you mean ...", or where else the name is known.
std::vector<std::string> hints(const std::string& name, const std::vector<std::string>& near) {
  std::vector<std::string> lines;
  for (const auto& info : strategy_catalogue())
    if (info.name == name) lines.push_back("it is a strategy of Transformers " + std::string(info.dialects));
  std::string hint = near.empty() ? "" : "did you mean " + quoted(near.front()) + "?   ";
  for (std::size_t i = 1; i < near.size(); ++i) hint += (i == 1 ? "others near: " : ", ") + near[i];
  if (near.size() > 1) hint += "     ";
  lines.push_back(hint + "all: tpsim strategies list");
  return lines;
}

Diagnostic unknown_strategy(const std::vector<const Rule*>& rules, const Dialect& dialect, const StrategySet& custom) {
  const std::string& name = rules.front()->strategy;
  Diagnostic d =
      about_rule("TP101", *rules.front(), "unknown strategy " + quoted(name) + " for dialect " + to_string(dialect));
  d.position = rules.front()->strategy_position;
  d.count = static_cast<int>(rules.size());
  const auto near = near_strategies(name, dialect, custom);
  d.details = hints(name, near);
  d.details.push_back(library_says("ValueError", "Unsupported"));
  Fix replace{near.empty() ? "" : "use " + quoted(near.front()), {}};
  Fix remove{rules.size() > 1 ? "remove the rules" : "remove the rule", {}};
  for (const Rule* rule : rules) {
    if (!near.empty()) replace.patch.push_back({"replace", rule->key, near.front()});
    remove.patch.push_back({"remove", rule->key, ""});
  }
  if (!near.empty()) d.fixes.push_back(std::move(replace));
  d.fixes.push_back(std::move(remove));
  return d;
}

Diagnostic extension_strategy(const std::vector<const Rule*>& rules, const Dialect& dialect) {
  const std::string& name = rules.front()->strategy;
  Dialect extended = dialect;
  extended.extensions = true;
  Diagnostic d = about_rule("TP210", *rules.front(),
                            quoted(name) + " is tpsim's own; " + to_string(dialect) + " has no such strategy");
  d.position = rules.front()->strategy_position;
  d.count = static_cast<int>(rules.size());
  d.details.push_back(library_says("ValueError", "Unsupported"));
  d.fixes.push_back({"--dialect " + to_string(extended) + ", for a runtime that has it", {}});
  Fix remove{rules.size() > 1 ? "remove the rules" : "remove the rule", {}};
  for (const Rule* rule : rules) remove.patch.push_back({"remove", rule->key, ""});
  d.fixes.push_back(std::move(remove));
  return d;
}

class RefusalFinder {
public:
  explicit RefusalFinder(const RefusalInputs& inputs)
      : in_(inputs),
        dialect_(inputs.request.dialect),
        tp_(inputs.request.parallelism.tp),
        ep_(inputs.request.parallelism.ep),
        choice_(inputs.request.plan) {}

  std::vector<Diagnostic> run() && {
    if (choice_.kind == PlanKind::none) return {};
    if (in_.shipped.fault) {
      Diagnostic d =
          about_run(in_.shipped.fault->message, "the shipped plans of " + in_.model.model_type + " cannot be read",
                    "mend the file, or leave its folder out of TPSIM_DATA");
      d.where = in_.shipped.fault->where;
      return {std::move(d)};
    }
    if (tp_ <= 1 && ep_ <= 1) return {};
    check_sizes();
    check_arguments();
    check_keys();
    check_presence();
    check_expert_styles();
    check_strategies();
    check_patterns();
    return std::move(found_);
  }

private:
  std::string name() const { return to_string(dialect_); }
  std::string sizes() const { return "ep " + std::to_string(ep_) + " with tp " + std::to_string(tp_); }
  bool given_to_loader() const { return choice_.kind == PlanKind::manual && !choice_.base_plan; }
  void add(Diagnostic diagnostic) { found_.push_back(std::move(diagnostic)); }

  void check_sizes() {
    if (ep_ > 1) check_expert_size();
    const ExpertExchange exchange = in_.request.parallelism.exchange;
    if (ep_ <= 1 || exchange == ExpertExchange::automatic) return;
    const bool reduces = exchange == ExpertExchange::all_reduce;
    if (reduces && ep_ != tp_)
      add(about_run(sizes() + ": experts that all-reduce need ep = tp",
                    "every rank of the group must see the same tokens", "the same size for both, or all-to-all"));
    else if (reduces ? dialect_.at_least(5, 19) && dialect_.below(5, 23) : dialect_.below(5, 19))
      add(about_run(name() + " cannot exchange tokens by " + (reduces ? "all-reduce" : "all-to-all"),
                    "ep_implementation came with 5.23, all-to-all with 5.19", "--dialect latest"));
  }

  void check_expert_size() {
    if (dialect_.below(4, 54))
      add(about_run("ep " + std::to_string(ep_) + ": " + name() + " has no expert parallelism", "it came with 4.54",
                    "--dialect latest"));
    else if (dialect_.below(5, 20) && ep_ != tp_)
      add(about_run(sizes() + ": " + name() + " needs ep = tp", "experts are spread over the tensor-parallel ranks",
                    "--ep " + std::to_string(tp_)));
    else if (ep_ % tp_ != 0)
      add(about_run(sizes() + ": ep must be a multiple of tp", library_says("ValueError", "must be a multiple of"),
                    "--ep " + std::to_string(tp_)));
  }

  void check_arguments() {
    if (given_to_loader() && dialect_.below(5, 0))
      add(about_run(name() + " takes no dictionary as tp_plan", library_says("ValueError", "supports 'auto' only"),
                    "state it as the config class's base_model_tp_plan (--base-plan), or use 5.0 or later"));
    if (choice_.expert_plan && !choice_.base_plan && dialect_.below(5, 19))
      add(about_run(name() + " takes no expert plan", "the argument ep_plan came with 5.19",
                    "state it as the config class's base_model_ep_plan, or use 5.19 or later"));
  }

  // The test of 5.19 on: a key is fine if it names a module or parameter, or stands in the model's plan already.
  void check_keys() {
    if (dialect_.below(5, 19)) return;
    if (given_to_loader()) check_keys_of(choice_.plan, "tp_plan", in_.automatic);
    if (!choice_.expert_plan || choice_.base_plan || ep_ <= 1) return;
    RuleDict shipped;
    RuleDict prefixed;
    shipped.set_all(in_.shipped.expert_plan.rules, RuleOrigin::expert_plan);
    prefixed.update(shipped, prefix());
    check_keys_of(*choice_.expert_plan, "ep_plan", prefixed);
  }

  std::string prefix() const { return in_.model.base.empty() ? "" : in_.model.base + "."; }

  void check_keys_of(const Plan& plan, const char* argument, const RuleDict& known) {
    std::size_t unknown = 0;
    for (const auto& rule : plan.rules)
      if (!known.contains(rule.key) && !names_something(rule.key) && ++unknown <= kMostKeys)
        add(unmatched(rule, argument));
    if (unknown <= kMostKeys) return;
    found_.back().message += ", and " + std::to_string(unknown - kMostKeys) + " more like it";
    found_.back().count += static_cast<int>(unknown - kMostKeys);
  }

  const std::vector<std::string>& patterns() {
    if (patterns_.empty()) patterns_ = sorted_patterns(module_names(in_.model));
    return patterns_;
  }
  bool names_something(const std::string& key) { return std::ranges::binary_search(patterns(), key); }

  Diagnostic unmatched(const Rule& rule, const char* argument) {
    Diagnostic d = about_rule("TP201", rule,
                              "rule " + quoted(rule.key) + " names no module or parameter of " + in_.model.class_name);
    d.details.push_back(library_says("ValueError", std::string(argument) + "` keys [...] match nothing"));
    std::vector<std::string> near;
    for (auto key :
         {prefix() + rule.key, normalise_name(rule.key, dialect_), normalise_name(prefix() + rule.key, dialect_)})
      if (names_something(key) && std::ranges::find(near, key) == near.end()) near.push_back(std::move(key));
    if (near.empty()) near = nearest(rule.key, patterns());
    if (!near.empty()) {
      d.details.push_back("nearest: " + near.front());
      d.fixes.push_back(
          {"rename it to " + quoted(near.front()), {{"remove", rule.key, ""}, {"add", near.front(), rule.strategy}}});
    }
    d.fixes.push_back({"remove the rule", {{"remove", rule.key, ""}}});
    return d;
  }

  void check_presence() {
    const std::string& model = in_.model.class_name;
    const bool none_shipped = !in_.shipped.has_config_plan && in_.shipped.class_plan.rules.empty();
    if (tp_ > 1 && dialect_.below(4, 50) && none_shipped)
      add(about_run(model + " has no tp_plan in " + name(),
                    library_says("NotImplementedError", "does not have a tensor parallel plan"), "--tp 1"));
    if (tp_ > 1 && dialect_.at_least(5, 23) && in_.tensor.empty())
      add(about_run("tp " + std::to_string(tp_) + " was requested, but " + model + " has no tp_plan",
                    library_says("ValueError", "has no `tp_plan`"), "give a plan with at least one rule, or --tp 1"));
    if (ep_ > 1 && dialect_.at_least(5, 13) && in_.expert.empty())
      add(about_run("ep " + std::to_string(ep_) + " was requested, but " + model + " has no ep_plan",
                    library_says("ValueError", dialect_.at_least(5, 23) ? "has no `ep_plan`"
                                                                        : "does not define an expert-parallel plan"),
                    "--ep 1"));
  }

  const Rule* expert_rule(std::string_view strategy) const {
    const auto& rules = in_.expert.rules();
    const auto found =
        std::ranges::find(rules, strategy, [](const auto& r) { return std::string_view(r.rule.strategy); });
    return found == rules.end() ? nullptr : &found->rule;
  }

  void check_expert_styles() {
    if (ep_ <= 1 || dialect_.below(5, 19)) return;
    const Rule* router = expert_rule("ep_router");
    const Rule* masked = expert_rule("moe_tp_experts");
    if (dialect_.at_least(5, 23)) {
      if (router != nullptr) refuse_expert_rule(*router, "The `ep_router` style was removed");
      if (masked != nullptr) refuse_expert_rule(*masked, "a tensor-parallel style that belongs in `tp_plan`");
      return;
    }
    if (router != nullptr && expert_rule("ep_dispatch_experts") != nullptr)
      refuse_expert_rule(*router, "routes tokens itself; remove the `ep_router` rules");
    else if (router != nullptr && masked != nullptr && ep_ != tp_)
      add(about_run(sizes() + ": an expert plan of ep_router and moe_tp_experts needs ep = tp",
                    library_says("ValueError", "requires `ep_size=tp_size`"), "--ep " + std::to_string(tp_)));
  }

  void refuse_expert_rule(const Rule& rule, std::string_view words) {
    Diagnostic d = about_rule("TP114", rule, quoted(rule.strategy) + " cannot stand in the expert plan of " + name());
    d.details.push_back(library_says("ValueError", words));
    d.fixes.push_back({"shard whole experts by grouped_gemm and dispatch to them by ep_dispatch_experts", {}});
    add(std::move(d));
  }

  void check_strategies() {
    const bool replaced = ep_ > 1 && dialect_.at_least(4, 54) && dialect_.below(5, 19);
    if (replaced && given_to_loader())
      for (const auto& rule : choice_.plan.rules) note_strategy(rule);
    for (const auto& resolved : in_.applied) note_strategy(resolved.rule);
    if (ep_ > 1 && dialect_.at_least(5, 19))
      for (const auto& resolved : in_.expert.rules()) note_strategy(resolved.rule);
    for (const auto& rules : unknown_) add(unknown_strategy(rules, dialect_, in_.request.custom));
    for (const auto& [name, rules] : extensions_) add(extension_strategy(rules, dialect_));
  }

  // Rules of one unknown name share a diagnostic, with one fix for all of them.
  void note_strategy(const Rule& rule) {
    const StrategySet& custom = in_.request.custom;
    const bool own = std::ranges::any_of(custom, [&](const CustomStrategy& s) { return s.name == rule.strategy; });
    if (is_extension(rule.strategy) && !dialect_.extensions && !own) return extensions_[rule.strategy].push_back(&rule);
    if (is_known_strategy(rule.strategy, dialect_, in_.request.custom)) return;
    const auto [place, is_new] = unknown_places_.try_emplace(rule.strategy, unknown_.size());
    if (is_new) unknown_.emplace_back();
    unknown_[place->second].push_back(&rule);
  }

  void check_patterns() {
    for (const auto& resolved : in_.applied) {
      if (is_valid_key(resolved.rule.key, dialect_)) continue;
      Diagnostic d =
          about_rule("TP114", resolved.rule, "key " + quoted(resolved.rule.key) + " is no regular expression");
      d.details.push_back(name() + " searches weights by the keys as regular expressions and stops with re.error");
      d.fixes.push_back({"remove the rule", {{"remove", resolved.rule.key, ""}}});
      add(std::move(d));
      return;
    }
  }

  const RefusalInputs& in_;
  const Dialect& dialect_;
  int tp_, ep_;
  const PlanChoice& choice_;
  std::vector<std::string> patterns_;
  std::map<std::string_view, std::vector<const Rule*>> extensions_;
  std::vector<std::vector<const Rule*>> unknown_;  // one entry a name
  std::unordered_map<std::string_view, std::size_t> unknown_places_;
  std::vector<Diagnostic> found_;
};

}  // namespace

std::vector<Diagnostic> find_refusals(const RefusalInputs& inputs) { return RefusalFinder(inputs).run(); }

bool is_known_strategy(std::string_view name, const Dialect& dialect, const StrategySet& custom) {
  return std::ranges::any_of(custom, [&](const CustomStrategy& s) { return s.name == name; }) ||
         find_strategy(name, dialect).has_value();
}

}  // namespace tpsim
