#include "gui/model/results.h"

#include <algorithm>
#include <chrono>

#include "core/repair.h"
#include "gui/model/hardware_edits.h"

namespace tpsim::gui {
namespace {

// Everything of the document that a side depends on.
Document own_part(const Document& d, Side side) {
  Document own = d;
  own.plans = {side == Side::a ? d.plan_a() : d.plan_b()};
  own.plans[0].name.clear();
  own.edited = own.baseline = 0;
  own.tp = side == Side::b ? d.baseline_tp.value_or(d.tp) : d.tp;
  if (side == Side::b && !d.baseline_hardware.empty()) {
    own.hardware = d.baseline_hardware;
    own.link = own.profile = "";
    own.hardware_set.clear();
  }
  own.baseline_tp.reset();
  own.baseline_hardware.clear();
  own.suppressed.clear();
  own.notes.clear();
  return own;
}

std::string key_of(const Document& d, Side side) { return to_json(own_part(d, side)); }

// What one device without a plan depends on.
std::string baseline_key_of(const Document& d, Side side) {
  Document own = own_part(d, side);
  own.plans = {PlanEntry{}};
  own.tp = own.ep = 1;
  own.phase = cli::Phase::both;
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

Result<void> use_model(Memo& memo, const Document& d, const cli::Options& options) {
  std::string key = d.model + "\n" + to_string(d.dialect) + (d.dialect.extensions ? "+" : "");
  for (const std::string& set : d.set) key += "\n" + set;
  if (memo.model && memo.model_key == key) return {};
  memo.model.reset();
  memo.baseline.reset();
  auto model = cli::load_model(options);
  if (!model) return model.error();
  memo.model = std::move(*model);
  memo.model_key = std::move(key);
  return {};
}

Result<void> use_hardware(Memo& memo, const Document& d, Side side, const cli::Options& options) {
  const Document own = own_part(d, side);
  std::string key = own.hardware + "\n" + own.link + "\n" + own.profile;
  for (const std::string& set : own.hardware_set) key += "\n" + set;
  if (memo.hardware && memo.hardware_key == key) return {};
  memo.hardware.reset();
  auto hardware = cli::load_hardware_input(options);
  if (!hardware) return hardware.error();
  if (auto edited = apply_hardware_edits(*hardware, own.hardware_set); !edited) return edited.error();
  memo.hardware = std::move(*hardware);
  memo.hardware_key = std::move(key);
  return {};
}

Result<cli::Baseline> baseline_of(Memo& memo, const Document& d, Side side, const cli::Scenario& scenario) {
  std::string key = baseline_key_of(d, side);
  if (memo.baseline && memo.baseline_key == key) return *memo.baseline;
  auto baseline = cli::measure_baseline(scenario);
  if (!baseline) return baseline;
  memo.baseline = *baseline;
  memo.baseline_key = std::move(key);
  return baseline;
}

Evaluation refreshed(const Evaluation& now, const Evaluation& other, const Document& d, Side side, Memo& memo) {
  std::string key = key_of(d, side);
  if (key == now.key) return now;
  Evaluation next = key == other.key ? other : evaluate(d, side, memo);
  next.key = std::move(key);
  return next;
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
  if (is_last_good() || !a.report) return last_good_a.get();
  return a.report.get();
}

Result<cli::Scenario> scenario_of(const Document& d, Side side, Memo& memo) {
  const PlanEntry& entry = side == Side::a ? d.plan_a() : d.plan_b();
  const cli::Options options = options_of(d, side);
  if (auto used = use_model(memo, d, options); !used) return used.error();
  if (auto used = use_hardware(memo, d, side, options); !used) return used.error();
  auto scenario = cli::load_scenario(options, *memo.model, *memo.hardware);
  if (!scenario || entry.text.empty()) return scenario;
  if (auto used = use_plan_text(*scenario, entry); !used) return used.error();
  return scenario;
}

Evaluation evaluate(const Document& d, Side side, Memo& memo) {
  Evaluation evaluation;
  const int tp = side == Side::b ? d.baseline_tp.value_or(d.tp) : d.tp;
  const auto report = [&]() -> Result<cli::Report> {
    auto scenario = scenario_of(d, side, memo);
    if (!scenario) return scenario.error();
    const auto baseline = baseline_of(memo, d, side, *scenario);
    if (!baseline) return baseline.error();
    return cli::build_report(std::move(*scenario), tp, *baseline);
  }();
  if (report) evaluation.report = std::make_shared<const cli::Report>(std::move(*report));
  if (!report) evaluation.error = report.error();
  return evaluation;
}

Sides evaluate_sides(const Evaluation& a, const Evaluation& b, const Document& d, Memo& memo) {
  const std::lock_guard<std::mutex> lock(memo.in_use);
  const auto start = std::chrono::steady_clock::now();
  Sides sides;
  sides.a = refreshed(a, b, d, Side::a, memo);
  sides.b = refreshed(b, sides.a, d, Side::b, memo);
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  sides.took_ms = taken.count();
  return sides;
}

void install(Results& results, Sides sides) {
  if (sides.a.key != results.a.key) {
    results.sweep_done = results.repairs_done = false;
    results.a = std::move(sides.a);
    if (results.a.report && results.a.size()->runs()) results.last_good_a = results.a.report;
  }
  results.b = std::move(sides.b);
  results.refresh_ms = sides.took_ms;
  ++results.refreshes;
}

bool is_current(const Results& results, const Document& d) {
  if (d.model.empty()) return !results.a.report && !results.a.error;
  return results.a.key == key_of(d, Side::a) && results.b.key == key_of(d, Side::b);
}

bool refresh(Results& results, const Document& d) {
  if (is_current(results, d)) return false;
  if (d.model.empty()) {
    const std::size_t refreshes = results.refreshes;
    results = {};
    results.refreshes = refreshes + 1;
    return true;
  }
  install(results, evaluate_sides(results.a, results.b, d, *results.memo));
  return true;
}

SharedReport sweep_of(const cli::Report& report, const Document& d) {
  auto sweep = cli::build_report(report.scenario, {false, sweep_sizes(d)});
  return sweep ? std::make_shared<const cli::Report>(std::move(*sweep)) : nullptr;
}

SharedReport with_repairs(const cli::Report& report) {
  auto mended = std::make_shared<cli::Report>(report);
  if (!mended->problems.empty()) attach(*mended);
  return mended;
}

void finish(Results& results, const Document& d) {
  if (!results.a.report) return;
  if (!results.sweep_done) results.sweep = sweep_of(*results.a.report, d);
  if (!results.repairs_done) results.a.report = with_repairs(*results.a.report);
  results.sweep_done = results.repairs_done = true;
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
