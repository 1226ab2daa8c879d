#include "cli/checking.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/repair.h"

namespace tpsim::cli {
namespace {

constexpr int kMaxRounds = 200;

std::string identity(const Diagnostic& d) { return d.code + " " + d.where + " " + d.rule; }

bool has_edit(const Diagnostic& d) {
  return std::any_of(d.fixes.begin(), d.fixes.end(), [](const Fix& fix) { return !fix.patch.empty(); });
}

// The next problem with an edit that has not been tried.
const Diagnostic* next_problem(const PlanCheck& check, const std::set<std::string>& tried) {
  for (const Problem& problem : check.problems) {
    const Diagnostic& d = problem.diagnostic;
    if (d.severity != Severity::note && has_edit(d) && !tried.contains(identity(d))) return &d;
  }
  return nullptr;
}

// Renames a rule in its place, since order can matter; other patches as they are.
Plan apply_edit(const Plan& plan, const std::vector<PatchOperation>& patch) {
  const bool renames = patch.size() == 2 && patch[0].op == "remove" && patch[1].op == "add" &&
                       plan.find(patch[0].key) != nullptr && plan.find(patch[1].key) == nullptr;
  if (!renames) return apply_patch(plan, patch);
  Plan renamed = plan;
  for (Rule& rule : renamed.rules) {
    if (rule.key != patch[0].key) continue;
    rule.key = patch[1].key;
    rule.strategy = patch[1].value;
  }
  return renamed;
}

bool has_problem(const PlanCheck& check, const std::string& id) {
  return std::any_of(check.problems.begin(), check.problems.end(),
                     [&](const Problem& p) { return identity(p.diagnostic) == id; });
}

// Tries the edits of a problem; keeps the first after which it is gone and there are not more errors. The edit's title,
// "" if none helps.
Result<std::string> apply_first_that_helps(Scenario& scenario, const std::vector<int>& sizes, const Diagnostic& problem,
                                           PlanCheck& check) {
  const Plan before = scenario.plan.choice.plan;
  for (const Fix& fix : problem.fixes) {
    if (fix.patch.empty()) continue;
    scenario.plan.choice.plan = apply_edit(before, fix.patch);
    auto after = check_plan(scenario, sizes);
    if (!after) return after.error();
    if (!has_problem(*after, identity(problem)) && after->count(Severity::error) <= check.count(Severity::error)) {
      check = std::move(*after);
      return fix.title;
    }
  }
  scenario.plan.choice.plan = before;
  return std::string();
}

}  // namespace

std::int64_t PlanCheck::count(Severity severity) const {
  return std::count_if(problems.begin(), problems.end(),
                       [&](const Problem& p) { return p.diagnostic.severity == severity; });
}

Result<PlanCheck> check_plan(const Scenario& scenario, const std::vector<int>& sizes) {
  PlanCheck check;
  for (const int tp : sizes) {
    const AnalysisRequest request = request_for(scenario, tp, Pass::forward);
    auto analysis = analyze(scenario.model(), request);
    if (!analysis) return analysis.error();
    attach_repairs(scenario.model(), request, *analysis);
    check.verdicts.push_back({tp, analysis->verdict, analysis->verdict_reasons});
    merge(check.problems, analysis->diagnostics, tp);
    if (check.verdicts.size() == 1) check.analysis = std::move(*analysis);
  }
  sort_by_severity(check.problems);
  return check;
}

Result<Repair> repair_plan(Scenario& scenario, const std::vector<int>& sizes) {
  Repair repair;
  std::set<std::string> tried;
  auto check = check_plan(scenario, sizes);
  if (!check) return check.error();
  for (int i = 0; i < kMaxRounds; ++i) {
    const Diagnostic* const problem = next_problem(*check, tried);
    if (problem == nullptr) break;
    const Diagnostic mended = *problem;
    tried.insert(identity(mended));
    auto applied = apply_first_that_helps(scenario, sizes, mended, *check);
    if (!applied) return applied.error();
    if (!applied->empty()) repair.applied.push_back(mended.code + ": " + *applied);
  }
  repair.plan = scenario.plan.choice.plan;
  return repair;
}

}  // namespace tpsim::cli
