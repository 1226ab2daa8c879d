#include "gui/model/results.h"

#include <algorithm>
#include <chrono>

#include "core/repair.h"

namespace tpsim::gui {
namespace {

// Everything of the document that a side depends on.
std::string key_of(const Document& d, Side side) {
  Document own = d;
  own.plans = {side == Side::a ? d.plan_a() : d.plan_b()};
  own.plans[0].name.clear();
  own.edited = own.baseline = 0;
  own.tp = side == Side::b ? d.baseline_tp.value_or(d.tp) : d.tp;
  if (side == Side::b && !d.baseline_hardware.empty()) {
    own.hardware = d.baseline_hardware;
    own.link = own.profile = "";
  }
  own.baseline_tp.reset();
  own.baseline_hardware.clear();
  own.suppressed.clear();
  own.notes.clear();
  return to_json(own);
}

std::string plan_file_name(const PlanEntry& plan) {
  const bool named = plan.source.ends_with(".json") || plan.source.ends_with(".py");
  return named ? plan.source : plan.text.find_first_not_of(" \n\t") != std::string::npos ? plan.name : "plan";
}

Result<void> use_plan_text(cli::Scenario& scenario, const PlanEntry& entry) {
  auto plan = read_plan(entry.text, plan_file_name(entry));
  if (!plan) return plan.error();
  plan->name = entry.name;
  scenario.plan.choice.kind = PlanKind::manual;
  scenario.plan.choice.plan = std::move(*plan);
  scenario.plan.choice.base_plan = entry.base_plan;
  scenario.plan.text = entry.text;
  return {};
}

// `other` is the other side, which may have the same question.
bool refresh_side(Evaluation& evaluation, const Evaluation& other, const Document& d, Side side) {
  std::string key = key_of(d, side);
  if (key == evaluation.key) return false;
  evaluation = key == other.key ? other : evaluate(d, side);
  evaluation.key = std::move(key);
  return true;
}

void attach(cli::Report& report) {
  cli::SizeResult& size = report.results.front();
  attach_repairs(report.scenario.model(), cli::request_for(report.scenario, size.tp, cli::Pass::forward), size.forward);
  std::erase_if(report.problems, [&](const cli::Problem& p) {
    return std::any_of(size.forward.diagnostics.begin(), size.forward.diagnostics.end(),
                       [&](const Diagnostic& d) { return d.code == p.diagnostic.code; });
  });
  merge(report.problems, size.forward.diagnostics, size.tp);
  sort_by_severity(report.problems);
}

}  // namespace

const cli::Report* Results::shown() const {
  if (is_last_good()) return &*last_good_a;
  if (a.report) return &*a.report;
  return last_good_a ? &*last_good_a : nullptr;
}

Result<cli::Scenario> scenario_of(const Document& d, Side side) {
  const PlanEntry& entry = side == Side::a ? d.plan_a() : d.plan_b();
  auto scenario = cli::load_scenario(options_of(d, side));
  if (!scenario || entry.text.empty()) return scenario;
  if (auto used = use_plan_text(*scenario, entry); !used) return used.error();
  return scenario;
}

Evaluation evaluate(const Document& d, Side side) {
  Evaluation evaluation;
  auto scenario = scenario_of(d, side);
  if (!scenario) {
    evaluation.error = scenario.error();
    return evaluation;
  }
  const int tp = side == Side::b ? d.baseline_tp.value_or(d.tp) : d.tp;
  auto report = cli::build_report(std::move(*scenario), {false, {tp}});
  if (report) evaluation.report = std::move(*report);
  if (!report) evaluation.error = report.error();
  return evaluation;
}

bool refresh(Results& results, const Document& d) {
  if (d.model.empty()) {
    const bool had = results.a.report || results.a.error;
    results = {};
    return had;
  }
  const auto start = std::chrono::steady_clock::now();
  const bool a = refresh_side(results.a, results.b, d, Side::a), b = refresh_side(results.b, results.a, d, Side::b);
  if (a) {
    results.sweep_done = results.repairs_done = false;
    if (results.a.report && results.a.size()->runs()) results.last_good_a = results.a.report;
  }
  if (a || b) {
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    results.refresh_ms = taken.count();
    ++results.refreshes;
  }
  return a || b;
}

bool work(Results& results, const Document& d) {
  if (!results.sweep_done) {
    results.sweep_done = true;
    results.sweep.reset();
    if (!results.a.report) return true;
    auto report = cli::build_report(results.a.report->scenario, {false, sweep_sizes(d)});
    if (report) results.sweep = std::move(*report);
    return true;
  }
  if (!results.repairs_done) {
    results.repairs_done = true;
    if (results.a.report && !results.a.report->problems.empty()) attach(*results.a.report);
    return true;
  }
  return false;
}

std::vector<int> sweep_sizes(const Document& d) {
  std::vector<int> sizes = {1, 2, 4, 8, 16};
  if (std::find(sizes.begin(), sizes.end(), d.tp) == sizes.end()) sizes.push_back(d.tp);
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

std::string suppression(const Diagnostic& d) { return d.code + " " + (d.where.empty() ? d.rule : d.where); }

ProblemCount count_problems(const cli::Report& report, const std::vector<std::string>& suppressed) {
  ProblemCount count;
  for (const cli::Problem& problem : report.problems) {
    const Diagnostic& d = problem.diagnostic;
    if (std::find(suppressed.begin(), suppressed.end(), suppression(d)) != suppressed.end()) continue;
    ++(d.severity == Severity::error ? count.errors : d.severity == Severity::warning ? count.warnings : count.notes);
  }
  return count;
}

}  // namespace tpsim::gui
