#include "core/lint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/lint_causes.h"
#include "core/lint_rules.h"
#include "core/lint_shards.h"

namespace tpsim {
namespace {

class Linter {
public:
  Linter(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan, Analysis& a)
      : request_(request), plan_(plan), a_(a), facts_(model, plan, a) {}

  void run(const std::vector<Cause>& decisive) {
    add_refusals();
    std::vector<RuleProblem> problems;
    if (plan_.refusals.empty()) problems = misdirected_rules(facts_, request_);
    add_causes(decisive, problems);
    for (RuleProblem& problem : problems) add(std::move(problem.diagnostic));
  }

private:
  void add(Diagnostic d) { a_.diagnostics.push_back(std::move(d)); }

  void decide(Diagnostic d) {
    auto& reasons = a_.verdict_reasons;
    if (std::find(reasons.begin(), reasons.end(), d.code) == reasons.end()) reasons.push_back(d.code);
    add(std::move(d));
  }

  // Keys that name nothing come one by one; those with the same flaw are one problem.
  void add_refusals() {
    std::vector<const Diagnostic*> keys;
    for (const Diagnostic& refusal : plan_.refusals)
      if (refusal.code == "TP201") keys.push_back(&refusal);
    for (RuleProblem& problem : refused_keys(facts_, request_, keys)) decide(std::move(problem.diagnostic));
    for (const Diagnostic& refusal : plan_.refusals)
      if (refusal.code != "TP201") decide(refusal);
  }

  // A rule that misses the modules of a cause is the cause of the cause, and comes first.
  void add_causes(const std::vector<Cause>& decisive, std::vector<RuleProblem>& problems) {
    for (const Cause& cause : decisive) {
      const std::set<std::string> involved = involved_modules(facts_, cause);
      for (RuleProblem& problem : problems) {
        const bool concerned = std::any_of(problem.intended.begin(), problem.intended.end(),
                                           [&](const std::string& m) { return involved.contains(m); });
        if (!concerned || problem.diagnostic.severity == Severity::error) continue;
        problem.diagnostic.severity = Severity::error;
        decide(problem.diagnostic);
      }
      std::erase_if(problems, [](const RuleProblem& p) { return p.diagnostic.severity == Severity::error; });
      add_cause(diagnose(facts_, cause));
    }
  }

  void add_cause(Diagnostic d) {
    const auto known = std::find_if(a_.diagnostics.begin(), a_.diagnostics.end(), [&](const Diagnostic& o) {
      return o.code == d.code && o.where == d.where && o.message == d.message;
    });
    if (known == a_.diagnostics.end()) decide(std::move(d));
  }

  const AnalysisRequest& request_;
  const EffectivePlan& plan_;
  Analysis& a_;
  LintFacts facts_;
};

bool needs_facts(const EffectivePlan& plan, const std::vector<Cause>& decisive, const Analysis& a) {
  return !plan.refusals.empty() || !decisive.empty() ||
         std::any_of(a.rules.begin(), a.rules.end(), [](const ResolvedRule& r) { return r.modules == 0; });
}

}  // namespace

void lint(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan,
          const std::vector<Cause>& decisive, Analysis& analysis) {
  const bool parallel = request.parallelism.tp > 1 || request.parallelism.ep > 1;
  if (parallel || !decisive.empty() || !plan.refusals.empty()) {
    if (needs_facts(plan, decisive, analysis)) Linter(model, request, plan, analysis).run(decisive);
  }
  if (parallel && plan.refusals.empty()) {
    for (Diagnostic& d : unwise_rules(model, request, plan, analysis)) analysis.diagnostics.push_back(std::move(d));
    for (Diagnostic& d : unwise_shards(model, request, analysis)) analysis.diagnostics.push_back(std::move(d));
  }
  std::stable_sort(analysis.diagnostics.begin(), analysis.diagnostics.end(),
                   [](const Diagnostic& x, const Diagnostic& y) { return x.severity < y.severity; });
}

}  // namespace tpsim
