#include "cli/checking.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tpsim::cli {
namespace {

constexpr int kMaxEdits = 200;

std::string identity(const Diagnostic& d) { return d.code + " " + d.where + " " + d.rule; }

const Fix* first_edit(const Diagnostic& d) {
  const auto it = std::find_if(d.fixes.begin(), d.fixes.end(), [](const Fix& fix) { return !fix.patch.empty(); });
  return it == d.fixes.end() ? nullptr : &*it;
}

// The next problem with an edit that has not been tried.
const Diagnostic* next_problem(const PlanCheck& check, const std::set<std::string>& tried) {
  for (const Problem& problem : check.problems) {
    const Diagnostic& d = problem.diagnostic;
    if (d.severity != Severity::note && first_edit(d) != nullptr && !tried.contains(identity(d))) return &d;
  }
  return nullptr;
}

bool has_problem(const PlanCheck& check, const std::string& id) {
  return std::any_of(check.problems.begin(), check.problems.end(),
                     [&](const Problem& p) { return identity(p.diagnostic) == id; });
}

}  // namespace

std::int64_t PlanCheck::count(Severity severity) const {
  return std::count_if(problems.begin(), problems.end(),
                       [&](const Problem& p) { return p.diagnostic.severity == severity; });
}

Result<PlanCheck> check_plan(const Scenario& scenario, const std::vector<int>& sizes) {
  PlanCheck check;
  for (const int tp : sizes) {
    auto analysis = analyze(scenario.model(), request_for(scenario, tp, Pass::forward));
    if (!analysis) return analysis.error();
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
  for (int i = 0; i < kMaxEdits; ++i) {
    const Diagnostic* const problem = next_problem(*check, tried);
    if (problem == nullptr) break;
    const std::string id = identity(*problem);
    const Fix fix = *first_edit(*problem);
    tried.insert(id);
    Plan before = scenario.plan.choice.plan;
    scenario.plan.choice.plan = apply_patch(before, fix.patch);
    auto after = check_plan(scenario, sizes);
    if (!after) return after.error();
    if (has_problem(*after, id) || after->count(Severity::error) > check->count(Severity::error)) {
      scenario.plan.choice.plan = std::move(before);
      continue;
    }
    repair.applied.push_back(problem->code + ": " + fix.title);
    check = std::move(after);
  }
  repair.plan = scenario.plan.choice.plan;
  return repair;
}

}  // namespace tpsim::cli
