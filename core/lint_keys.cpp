// Rules whose keys miss what they were meant for.
#include "core/lint_rules.h"

#include <algorithm>
#include <map>

#include "core/plan_keys.h"

namespace tpsim {
namespace {

constexpr std::size_t kKeysShown = 3;

struct FlawedRule {
  Rule rule;
  std::optional<IntendedKey> intended;
  std::int64_t parameters = 0;
};

bool is_users(const ResolvedRule& rule) { return rule.origin == RuleOrigin::user; }

std::string flaw_words(const LintFacts& f, KeyFlaw flaw, bool one) {
  switch (flaw) {
    case KeyFlaw::prefix_missing:
      return (one ? "it lacks the prefix " : "they lack the prefix ") + quoted(f.model.base + ".");
    case KeyFlaw::prefix_twice:
      return std::string(one ? "it has" : "they have") + " the prefix " + quoted(f.model.base + ".") + " twice";
    case KeyFlaw::index_given:
      return std::string(one ? "it names" : "they name") + " a concrete index where * must stand";
    case KeyFlaw::star_missing: return std::string(one ? "it lacks" : "they lack") + " the * for the index";
    case KeyFlaw::misspelt: return "";
  }
  return "";
}

std::string flaw_background(const LintFacts& f, KeyFlaw flaw) {
  switch (flaw) {
    case KeyFlaw::prefix_missing:
      return "rules of a config's base_model_tp_plan are relative to the base model, rules given to the whole model "
             "are not";
    case KeyFlaw::prefix_twice:
      return "this plan is read as a config's base_model_tp_plan, whose keys are relative to " + quoted(f.model.base);
    case KeyFlaw::index_given:
      return to_string(f.analysis.dialect) +
             " replaces every index in a module's name by * and then looks the name up: a rule holds for all layers";
    default: return "";
  }
}

std::string fix_title(KeyFlaw flaw, std::size_t count, const FlawedRule& first) {
  const std::string n = count == 1 ? "the rule" : std::to_string(count) + " rules";
  switch (flaw) {
    case KeyFlaw::prefix_missing: return "add the prefix to " + n;
    case KeyFlaw::prefix_twice: return "drop the prefix of " + n;
    case KeyFlaw::index_given: return "write * for the index in " + n;
    case KeyFlaw::star_missing: return "put in the * of " + n;
    case KeyFlaw::misspelt: return "rename the rule to " + quoted(first.intended->key);
  }
  return "";
}

// Rules with one flaw, told as one.
class Group {
public:
  Group(const LintFacts& f, const AnalysisRequest& request, std::vector<FlawedRule> rules)
      : f_(f), request_(request), rules_(std::move(rules)) {}

  // `what`: "names no module, so it shards nothing" for one, for many.
  RuleProblem tell(const std::string& code, Severity severity, const std::string& one, const std::string& many,
                   bool effect) const {
    const FlawedRule& first = rules_.front();
    RuleProblem problem;
    Diagnostic& d = problem.diagnostic;
    d.code = code;
    d.severity = severity;
    d.where = first.rule.key;
    d.rule = first.rule.key + ": " + first.rule.strategy;
    d.position = first.rule.position;
    d.count = static_cast<int>(rules_.size());
    const bool single = rules_.size() == 1;
    d.message =
        single ? "rule " + quoted(first.rule.key) + " " + one : std::to_string(rules_.size()) + " rules " + many;
    add_reason(d, single);
    if (first.intended) add_fixes(problem);
    if (effect) add_effect(problem);
    return problem;
  }

  // The release's own rule for a block that this model lacks.
  bool is_shipped() const { return is_shipped_key(f_, rules_.front().rule.key); }

private:
  void add_reason(Diagnostic& d, bool single) const {
    const auto& intended = rules_.front().intended;
    if (!intended) return;
    if (const std::string words = flaw_words(f_, intended->flaw, single); !words.empty()) d.message += ": " + words;
    for (std::size_t i = 0; i < rules_.size() && i < kKeysShown; ++i)
      d.details.push_back((intended->flaw == KeyFlaw::misspelt ? "nearest: " : quoted(rules_[i].rule.key) + " -> ") +
                          quoted(rules_[i].intended->key) + modules_words(rules_[i].intended->key));
    if (rules_.size() > kKeysShown)
      d.details.push_back("... and " + std::to_string(rules_.size() - kKeysShown) + " more");
    if (const std::string words = flaw_background(f_, intended->flaw); !words.empty()) d.details.push_back(words);
  }

  std::string modules_words(const std::string& pattern) const {
    for (const ModuleName& name : f_.names())
      if (name.pattern == pattern && name.count > 1)
        return " (" + std::to_string(name.count) + (name.is_parameter ? " parameters)" : " modules)");
    return "";
  }

  void add_fixes(RuleProblem& problem) const {
    const KeyFlaw flaw = rules_.front().intended->flaw;
    Fix rename{fix_title(flaw, rules_.size(), rules_.front()), {}};
    std::set<std::string> added;
    for (const FlawedRule& r : rules_) {
      rename.patch.push_back({"remove", written_key(f_.model, request_, r.rule.key), ""});
      problem.intended.insert(r.intended->key);
      if (added.insert(r.intended->key).second)
        rename.patch.push_back({"add", written_key(f_.model, request_, r.intended->key), r.rule.strategy});
    }
    problem.diagnostic.fixes.push_back(std::move(rename));
    if (flaw == KeyFlaw::prefix_missing)
      problem.diagnostic.fixes.push_back({"--base-plan, to read the plan as a base_model_tp_plan", {}});
  }

  void add_effect(RuleProblem& problem) const {
    std::int64_t bytes = 0;
    std::vector<std::string> names;
    for (const std::string& pattern : problem.intended) {
      const std::int64_t own = f_.replicated_bytes(pattern);
      if (own > 0) names.push_back(short_name(pattern));
      bytes += own;
    }
    if (bytes == 0) return;
    problem.diagnostic.effect_bytes = bytes;
    problem.diagnostic.details.push_back(listed(names) + (names.size() == 1 ? " stays" : " stay") + " replicated");
  }

  const LintFacts& f_;
  const AnalysisRequest& request_;
  std::vector<FlawedRule> rules_;
};

// Misspelt keys stay alone; the other flaws tend to run through a whole plan.
std::vector<Group> grouped(const LintFacts& f, const AnalysisRequest& request, const std::vector<FlawedRule>& rules) {
  std::map<KeyFlaw, std::vector<FlawedRule>> by_flaw;
  std::vector<std::vector<FlawedRule>> lists;
  for (const FlawedRule& r : rules) {
    if (!r.intended || r.intended->flaw == KeyFlaw::misspelt)
      lists.push_back({r});
    else
      by_flaw[r.intended->flaw].push_back(r);
  }
  std::vector<Group> groups;
  for (auto& [flaw, list] : by_flaw) groups.emplace_back(f, request, std::move(list));
  for (auto& list : lists) groups.emplace_back(f, request, std::move(list));
  return groups;
}

void add_remove_fix(const LintFacts& f, const AnalysisRequest& request, RuleProblem& problem) {
  if (problem.diagnostic.count > 1) return;
  problem.diagnostic.fixes.push_back(
      {"remove the rule", {{"remove", written_key(f.model, request, problem.diagnostic.where), ""}}});
}

void unmatched(const LintFacts& f, const AnalysisRequest& request, std::vector<RuleProblem>& out) {
  std::vector<FlawedRule> rules;
  for (const ResolvedRule& r : f.analysis.rules)
    if (is_users(r) && r.known_strategy && r.modules == 0 && r.parameters == 0 && !f.names_something(r.rule.key))
      rules.push_back({r.rule, intended_key(f, r.rule.key), 0});
  for (const Group& group : grouped(f, request, rules)) {
    out.push_back(group.tell("TP201", group.is_shipped() ? Severity::note : Severity::warning,
                             "matches no module, so it shards nothing", "match no module, so they shard nothing",
                             true));
    add_remove_fix(f, request, out.back());
    if (group.is_shipped())
      out.back().diagnostic.details.push_back(
          "the release ships this rule for a block that this configuration does not have");
  }
}

// 5.0 - 5.15: weights are matched by an unanchored expression, hooks exactly.
void one_sided(const LintFacts& f, const AnalysisRequest& request, std::vector<RuleProblem>& out) {
  const Dialect& dialect = f.analysis.dialect;
  if (dialect.below(5, 0) || dialect.at_least(5, 16)) return;
  std::vector<FlawedRule> rules;
  for (const ResolvedRule& r : f.analysis.rules)
    if (r.modules == 0 && r.parameters > 0 && !f.names_parameter(r.rule.key))
      rules.push_back({r.rule, intended_key(f, r.rule.key), r.parameters});
  for (const Group& group : grouped(f, request, rules)) {
    RuleProblem problem = group.tell("TP209", Severity::warning, "cuts weights but installs no hook",
                                     "cut weights but install no hook", false);
    problem.diagnostic.details.push_back(
        to_string(dialect) +
        " searches weights for the key anywhere in their name and looks modules up exactly: "
        "no collective follows the cut");
    out.push_back(std::move(problem));
  }
}

std::string first_name(const ShardSpec& spec) {
  std::string name;
  std::size_t star = 0;
  for (const char c : spec.pattern) {
    if (c == '*' && star < spec.indices.size() && !spec.indices[star].empty())
      name += std::to_string(spec.indices[star++].front());
    else
      name += c;
  }
  return name;
}

// 5.0 - 5.15: the rule that cuts a weight is not the rule on its module.
void conflicting(const LintFacts& f, std::vector<RuleProblem>& out) {
  const Dialect& dialect = f.analysis.dialect;
  if (dialect.below(5, 0) || dialect.at_least(5, 16)) return;
  std::set<std::pair<int, int>> told;
  for (const ShardSpec& spec : f.analysis.shards) {
    const std::string name = first_name(spec);
    const std::string module = name.substr(0, name.rfind('.'));
    const int hook = f.module_rule(module);
    if (hook < 0 || spec.rule < 0 || hook == spec.rule) continue;
    const Rule &by_weight = f.rule(spec.rule)->rule, &by_module = f.rule(hook)->rule;
    const bool own = f.names_parameter(by_weight.key);
    if (by_weight.strategy == by_module.strategy || own || !told.insert({spec.rule, hook}).second) continue;
    RuleProblem problem;
    Diagnostic& d = problem.diagnostic;
    d.code = "TP104";
    d.severity = Severity::warning;
    d.where = generalised(module);
    d.count = static_cast<int>(spec.count);
    attach_rule(f.analysis, spec.rule, d);
    d.message = "rule " + quoted(by_weight.key) + " (" + by_weight.strategy + ") cuts the weight of " +
                short_name(module) + ", rule " + quoted(by_module.key) + " (" + by_module.strategy +
                ") sets its communication";
    d.details.push_back(
        to_string(dialect) +
        " searches weights for the keys in the plan's order, anywhere in the name, and looks modules up exactly");
    problem.intended.insert(d.where);
    out.push_back(std::move(problem));
  }
}

// A rule that an earlier key keeps from its parameters.
void shadowed(const LintFacts& f, const AnalysisRequest& request, std::vector<RuleProblem>& out) {
  std::map<int, std::vector<int>> by_shadow;
  for (const ShadowedRule& s : shadowed_rules(f)) by_shadow[s.by].push_back(s.rule);
  for (const auto& [by, rules] : by_shadow) {
    const Rule& earlier = f.rule(by)->rule;
    RuleProblem problem;
    Diagnostic& d = problem.diagnostic;
    std::vector<std::string> names;
    for (const int r : rules) {
      names.push_back(short_name(f.rule(r)->rule.key) + " (" + f.rule(r)->rule.strategy + ")");
      const std::string key = f.rule(r)->rule.key;
      problem.intended.insert({key, key.substr(0, key.rfind('.'))});
    }
    d.code = "TP104";
    d.severity = Severity::warning;
    d.where = f.rule(rules.front())->rule.key;
    attach_rule(f.analysis, rules.front(), d);
    d.count = static_cast<int>(rules.size());
    d.message = "rule " + quoted(earlier.key) + " (" + earlier.strategy + ") comes first and takes the weights of " +
                listed(names);
    d.details.push_back(
        to_string(f.analysis.dialect) +
        " searches weights for the keys in the plan's order, anywhere in the name: the first found wins");
    const std::string key = written_key(f.model, request, earlier.key);
    d.fixes.push_back({"put " + quoted(key) + " behind them", {{"remove", key, ""}, {"add", key, earlier.strategy}}});
    out.push_back(std::move(problem));
  }
}

}  // namespace

std::vector<RuleProblem> misdirected_rules(const LintFacts& facts, const AnalysisRequest& request) {
  std::vector<RuleProblem> problems;
  unmatched(facts, request, problems);
  one_sided(facts, request, problems);
  conflicting(facts, problems);
  shadowed(facts, request, problems);
  return problems;
}

std::vector<RuleProblem> refused_keys(const LintFacts& f, const AnalysisRequest& request,
                                      const std::vector<const Diagnostic*>& refusals) {
  std::vector<FlawedRule> rules;
  for (const Diagnostic* refusal : refusals) {
    FlawedRule flawed;
    flawed.rule.key = refusal->where;
    flawed.rule.strategy = refusal->rule.substr(std::min(refusal->rule.size(), refusal->where.size() + 2));
    flawed.rule.position = refusal->position;
    flawed.intended = intended_key(f, refusal->where);
    rules.push_back(std::move(flawed));
  }
  std::vector<RuleProblem> problems;
  const std::string on = " of " + f.model.class_name;
  for (const Group& group : grouped(f, request, rules)) {
    problems.push_back(group.tell("TP201", Severity::error, "names no module or parameter" + on,
                                  "name no module or parameter" + on, false));
    problems.back().diagnostic.details.push_back(to_string(f.analysis.dialect) +
                                                 ": ValueError: `tp_plan` keys [...] match nothing in " +
                                                 f.model.class_name + ", before any weight is loaded");
    add_remove_fix(f, request, problems.back());
  }
  return problems;
}

}  // namespace tpsim
