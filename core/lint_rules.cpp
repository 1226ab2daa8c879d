// Rules that hit and are unwise all the same.
#include <algorithm>
#include <map>

#include "core/lint_rules.h"
#include "core/plan_keys.h"

namespace tpsim {
namespace {

bool is_users(const ResolvedRule& rule) { return rule.origin == RuleOrigin::user; }

Diagnostic about(const ResolvedRule& rule, const char* code, Severity severity) {
  Diagnostic d;
  d.code = code;
  d.severity = severity;
  d.where = rule.rule.key;
  d.rule = rule.rule.key + ": " + rule.rule.strategy;
  d.position = rule.rule.position;
  return d;
}

// Rules that read alike are told once.
struct AlikeRules {
  std::vector<const ResolvedRule*> rules;
  Diagnostic told(const char* code, Severity severity) const {
    Diagnostic d = about(*rules.front(), code, severity);
    d.count = static_cast<int>(rules.size());
    return d;
  }
};

std::map<std::string, AlikeRules> by_strategy(const std::vector<ResolvedRule>& rules) {
  std::map<std::string, AlikeRules> alike;
  for (const ResolvedRule& rule : rules) alike[rule.rule.strategy].rules.push_back(&rule);
  return alike;
}

void renamed(const Model& model, const AnalysisRequest& request, const Analysis& a, std::vector<Diagnostic>& out) {
  if (a.dialect.below(5, 1)) return;
  for (const auto& [strategy, alike] : by_strategy(a.rules)) {
    const std::string now = strategy == "colwise_rep"   ? "colwise_gather_output"
                            : strategy == "rowwise_rep" ? "rowwise_split_input"
                                                        : "";
    const bool users = std::any_of(alike.rules.begin(), alike.rules.end(), [](const auto* r) { return is_users(*r); });
    if (now.empty() || !users || !alike.rules.front()->known_strategy) continue;
    Diagnostic d = alike.told("TP203", Severity::warning);
    d.position = alike.rules.front()->rule.strategy_position;
    d.message = quoted(strategy) + " is called " + quoted(now) + " since Transformers 5.1.0";
    d.details.push_back(now == "colwise_gather_output"
                            ? "both mean: shard output features, then all-gather the result"
                            : "both mean: cut the whole input on each rank, then all-reduce the result");
    Fix fix{"use the new name", {}};
    for (const ResolvedRule* r : alike.rules)
      if (is_users(*r)) fix.patch.push_back({"replace", written_key(model, request, r->rule.key), now});
    d.fixes.push_back(std::move(fix));
    out.push_back(std::move(d));
  }
}

void ignored(const EffectivePlan& plan, const Analysis& a, std::vector<Diagnostic>& out) {
  for (const ResolvedRule& rule : plan.ignored) {
    const bool expert = rule.origin == RuleOrigin::expert_plan || a.parallelism.ep > 1;
    Diagnostic d = about(rule, "TP204", Severity::warning);
    d.message = "rule " + quoted(rule.rule.key) + " is ignored by " + to_string(a.dialect);
    if (!expert)
      d.details.push_back(
          "the model class's own plan is overwritten when the model is built (huggingface/transformers#47253)");
    else
      d.details.push_back(
          "with expert parallelism this release applies one of the two plans, or drops an expert plan without "
          "dispatch");
    out.push_back(std::move(d));
  }
}

void sequence_parallel(const Model& model, const AnalysisRequest& request, const Analysis& a,
                       std::vector<Diagnostic>& out) {
  AlikeRules alike;
  for (const ResolvedRule& rule : a.rules)
    if (rule.rule.strategy == "sequence_parallel" && rule.modules > 0 && is_users(rule)) alike.rules.push_back(&rule);
  if (alike.rules.empty()) return;
  Diagnostic d = alike.told("TP206", Severity::warning);
  d.message = a.dialect.generation() == Generation::dtensor_forward
                  ? "sequence_parallel moves nothing and saves nothing in this version"
              : a.dialect.generation() == Generation::plain_hooks
                  ? "sequence_parallel gathers features, not the sequence, in this version: the norm fails"
                  : "sequence_parallel gathers the whole sequence after every norm: more traffic, no memory saved";
  Fix fix{alike.rules.size() == 1 ? "remove the rule" : "remove the " + std::to_string(alike.rules.size()) + " rules",
          {}};
  for (const ResolvedRule* r : alike.rules)
    fix.patch.push_back({"remove", written_key(model, request, r->rule.key), ""});
  d.fixes.push_back(std::move(fix));
  out.push_back(std::move(d));
}

}  // namespace

std::vector<Diagnostic> unwise_rules(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan,
                                     const Analysis& analysis) {
  std::vector<Diagnostic> out;
  renamed(model, request, analysis, out);
  ignored(plan, analysis, out);
  sequence_parallel(model, request, analysis, out);
  return out;
}

}  // namespace tpsim
