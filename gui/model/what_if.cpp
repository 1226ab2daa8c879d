#include "gui/model/what_if.h"

#include <algorithm>
#include <set>

#include "core/strategy.h"

namespace tpsim::gui {
namespace {

std::set<std::string> codes(const std::vector<cli::Problem>& problems) {
  std::set<std::string> found;
  for (const cli::Problem& p : problems)
    if (p.diagnostic.severity != Severity::note) found.insert(p.diagnostic.code);
  return found;
}

std::optional<double> difference(const std::optional<cli::PhaseResult>& now,
                                 const std::optional<cli::PhaseResult>& before) {
  if (!now || !before) return std::nullopt;
  return (now->time.total - before->time.total).count();
}

void compare(Consequence& c, const cli::SizeResult& now, const std::vector<cli::Problem>& problems,
             const cli::Report& before) {
  const cli::SizeResult& old = before.results.front();
  c.verdict = now.forward.verdict;
  c.bytes = now.memory.total - old.memory.total;
  c.prefill = difference(now.prefill, old.prefill);
  c.decode = difference(now.decode, old.decode);
  const auto was = codes(before.problems), is = codes(problems);
  std::set_difference(is.begin(), is.end(), was.begin(), was.end(), std::back_inserter(c.added));
  std::set_difference(was.begin(), was.end(), is.begin(), is.end(), std::back_inserter(c.removed));
  for (const Diagnostic& d : now.forward.diagnostics)
    if (c.reason.empty() && d.severity == Severity::error) c.reason = d.message;
}

}  // namespace

void open_what_if(WhatIf& what_if, const Results& results, const ModuleRow& row, Scope scope) {
  const std::string key = results.a.key + row.path + to_string(scope);
  if (key == what_if.key || !results.a.report) return;
  what_if.key = key;
  what_if.list.clear();
  const Dialect dialect = results.a.scenario()->dialect;
  for (const auto name : strategy_names(dialect))
    what_if.list.push_back({std::string(name), row.strategy == name, false, {}, 0, {}, {}, {}, {}, {}});
  what_if.list.push_back({"", row.rule < 0, false, {}, 0, {}, {}, {}, {}, {}});
}

int next_of(const WhatIf& what_if) {
  const auto next =
      std::find_if(what_if.list.begin(), what_if.list.end(), [](const Consequence& c) { return !c.done; });
  return next == what_if.list.end() ? -1 : static_cast<int>(next - what_if.list.begin());
}

Consequence work_out(Consequence entry, const Document& d, const cli::Report& before, const ModuleRow& row,
                     Scope scope) {
  entry.done = true;
  cli::Scenario scenario = before.scenario;
  const auto patch = strategy_patch(before.results.front().forward, row, entry.strategy, scope);
  const Document edited = edit_plan(d, before.scenario, patch, "").next;
  auto plan = read_plan(edited.plan_a().text, "plan");
  if (!plan) return entry;
  scenario.plan.choice = {PlanKind::manual, std::move(*plan), edited.plan_a().base_plan,
                          scenario.plan.choice.expert_plan};
  const auto now = cli::size_up(scenario, d.tp, before.baseline);
  if (!now) return entry;
  std::vector<cli::Problem> problems;
  merge(problems, now->forward.diagnostics, d.tp);
  compare(entry, *now, problems, before);
  return entry;
}

}  // namespace tpsim::gui
