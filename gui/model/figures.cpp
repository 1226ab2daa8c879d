#include "gui/model/figures.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/collective_rows.h"
#include "cli/text.h"
#include "gui/model/results.h"

namespace tpsim::gui {
namespace {

constexpr double kNoticeable = 0.01;
constexpr auto kUnits = cli::Units::iec;

const cli::SizeResult& size_of(const cli::Report& r) { return r.results.front(); }

std::string sign(double value) { return value < 0 ? "-" : "+"; }

Trend trend_of(double a, double b, double uncertainty, bool less_is_better) {
  if (b == 0 || std::abs(a / b - 1) < std::max(kNoticeable, uncertainty)) return Trend::same;
  return (a < b) == less_is_better ? Trend::better : Trend::worse;
}

Figure memory_figure(const cli::Report& a, const cli::Report* b) {
  const MemoryFit& m = size_of(a).memory;
  Figure f{m.fits ? "FITS" : "TOO LARGE",
           cli::bytes_number(m.total, kUnits) + " / " + cli::bytes_text(m.capacity, kUnits),
           {},
           {},
           Trend::none,
           !m.fits};
  f.explanation = "heaviest rank: weights " + cli::bytes_text(m.weights, kUnits) + " + KV " +
                  cli::bytes_text(m.kv_cache, kUnits) + " + activations " + cli::bytes_text(m.activations, kUnits) +
                  " + communication " + cli::bytes_text(m.communication, kUnits) + " + runtime " +
                  cli::bytes_text(m.runtime, kUnits) + " = " + cli::bytes_text(m.total, kUnits);
  if (b == nullptr) return f;
  const std::int64_t difference = m.total - size_of(*b).memory.total;
  f.difference = signed_bytes(difference) + (difference == 0 ? "" : difference < 0 ? " less" : " more");
  f.trend = trend_of(static_cast<double>(m.total), static_cast<double>(size_of(*b).memory.total), 0, true);
  return f;
}

// Times of a plan that does not fit stand in parentheses, those of a plan that is wrong carry a mark.
std::string time_value(const cli::Report& r, const std::string& text) {
  const cli::SizeResult& size = size_of(r);
  const std::string marked = size.right() ? text : text + " !";
  return size.memory.fits ? marked : "(" + marked + ")";
}

Figure time_figure(const char* name, const cli::Report& a, const cli::Report* b,
                   std::optional<cli::PhaseResult> cli::SizeResult::*phase) {
  const auto& now = size_of(a).*phase;
  Figure f{name, "n/a", {}, {}, Trend::none, !size_of(a).right()};
  if (!now) {
    f.explanation = size_of(a).runs() ? "this phase was not asked for" : "the plan stops the forward pass";
    return f;
  }
  const Prediction& t = now->time;
  f.value = cli::time_text(t.total.count());
  if (phase == &cli::SizeResult::decode)
    f.value += "  " + cli::fixed(cli::tokens_per_second(a.scenario, *now), 0) + " tok/s";
  f.value = time_value(a, f.value);
  f.explanation = "computation " + cli::time_text(t.compute.count()) + " + communication " +
                  cli::time_text(t.communication.count()) + " + host " + cli::time_text(t.host.count()) + " = " +
                  cli::time_text(t.total.count()) + ", 90 % from " + cli::time_text(t.low.count()) + " to " +
                  cli::time_text(t.high.count()) + " [" + to_string(t.source) + "]";
  if (b == nullptr || !(size_of(*b).*phase)) return f;
  const double before = (size_of(*b).*phase)->time.total.count(), difference = t.total.count() - before;
  f.difference = signed_time(difference);
  if (difference != 0 && before > 0)
    f.difference += " (" + sign(difference) + percent_text(std::abs(difference) / before) + ")" +
                    (difference < 0 ? " faster" : " slower");
  f.trend = trend_of(t.total.count(), before, 0, true);
  return f;
}

const std::optional<cli::PhaseResult>& main_phase(const cli::Report& r) {
  return size_of(r).decode ? size_of(r).decode : size_of(r).prefill;
}

Figure share_figure(const char* name, const cli::Report& a, const cli::Report* b, double cli::PhaseResult::*share,
                    bool less_is_better, const char* explanation) {
  const auto& now = main_phase(a);
  Figure f{name, now ? percent_text((*now).*share) : "n/a", {}, explanation, Trend::none, false};
  if (now) f.value = time_value(a, f.value);
  if (!now || b == nullptr || !main_phase(*b)) return f;
  const double points = ((*now).*share - (*main_phase(*b)).*share) * 100;
  f.difference = std::abs(points) < 0.05 ? "=" : sign(points) + cli::fixed(std::abs(points), 1) + " pt";
  f.trend = std::abs(points) < 1 ? Trend::same : (points < 0) == less_is_better ? Trend::better : Trend::worse;
  return f;
}

Figure problem_figure(const cli::Report& a, const cli::Report* b, const std::vector<std::string>& suppressed) {
  const ProblemCount now = count_problems(a, suppressed);
  Figure f{"PROBLEMS",  std::to_string(now.errors) + " E  " + std::to_string(now.warnings) + " W",
           {},          {},
           Trend::none, now.errors > 0};
  f.explanation =
      std::string("verdict: ") + to_string(size_of(a).forward.verdict) + "; " + std::to_string(now.notes) + " hints";
  if (b == nullptr) return f;
  const ProblemCount before = count_problems(*b, suppressed);
  const auto difference =
      static_cast<std::int64_t>(now.errors + now.warnings) - static_cast<std::int64_t>(before.errors + before.warnings);
  f.difference = difference == 0 ? "=" : (difference < 0 ? "" : "+") + std::to_string(difference);
  f.trend = difference == 0 ? Trend::same : difference < 0 ? Trend::better : Trend::worse;
  return f;
}

struct ModuleSum {
  std::string strategy;
  std::int64_t bytes = 0, wire = 0;
  double seconds = 0;
};

void add_times(std::map<std::string, ModuleSum>& sums, const std::optional<cli::PhaseResult>& phase) {
  if (!phase) return;
  for (const auto& row : cli::collective_rows(phase->analysis, phase->time)) {
    sums[row.module].wire += row.wire_bytes_per_rank * row.count;
    sums[row.module].seconds += row.time.count() * static_cast<double>(row.count);
  }
  for (const auto& row : cli::operation_rows(phase->analysis, phase->time))
    sums[row.module].seconds += row.time.count() * static_cast<double>(row.count);
}

std::map<std::string, ModuleSum> sums_of(const cli::Report& r, std::vector<std::string>& order) {
  std::map<std::string, ModuleSum> sums;
  for (const ModuleRow& row : module_tree(size_of(r).forward)) {
    if (!row.is_leaf()) continue;
    ModuleSum& sum = sums[row.pattern];
    sum.strategy = row.strategy.empty() ? "no rule" : row.strategy;
    for (const int spec : row.specs) {
      const ShardSpec& s = size_of(r).forward.shards[static_cast<std::size_t>(spec)];
      sum.bytes += s.ranks[static_cast<std::size_t>(heaviest_rank(size_of(r).forward))].bytes * s.count;
    }
    if (std::find(order.begin(), order.end(), row.pattern) == order.end()) order.push_back(row.pattern);
  }
  add_times(sums, size_of(r).prefill);
  add_times(sums, size_of(r).decode);
  for (const auto& [pattern, sum] : sums)
    if (std::find(order.begin(), order.end(), pattern) == order.end()) order.push_back(pattern);
  return sums;
}

cli::Cell byte_cell(std::int64_t bytes) { return cli::cell(bytes, signed_bytes(bytes)); }

}  // namespace

std::string signed_bytes(std::int64_t bytes) {
  if (bytes == 0) return "=";
  return sign(static_cast<double>(bytes)) + cli::bytes_text(std::abs(bytes), kUnits);
}

std::string signed_time(double seconds) {
  constexpr double nothing = 1e-9;
  if (std::abs(seconds) < nothing) return "=";
  return sign(seconds) + cli::time_text(std::abs(seconds));
}

std::string percent_text(double share) { return cli::fixed(share * 100, 1) + " %"; }

std::vector<Figure> headline_figures(const cli::Report& a, const cli::Report* b,
                                     const std::vector<std::string>& suppressed) {
  return {memory_figure(a, b),
          time_figure("PREFILL", a, b, &cli::SizeResult::prefill),
          time_figure("DECODE", a, b, &cli::SizeResult::decode),
          share_figure("COMM", a, b, &cli::PhaseResult::comm_share, true,
                       "share of communication in the time of a decode step (prefill where decode is not asked for)"),
          share_figure("EFF", a, b, &cli::PhaseResult::efficiency, false,
                       "speed-up over one device without a plan, divided by the number of devices"),
          problem_figure(a, b, suppressed)};
}

Comparison compare_modules(const cli::Report& a, const cli::Report& b, bool changed_only) {
  std::vector<std::string> order;
  const auto of_a = sums_of(a, order), of_b = sums_of(b, order);
  Comparison c;
  c.table.columns = {{"module", "module", false, 0},
                     {"a", "A", false, 0},
                     {"b", "B", false, 0},
                     {"rank_bytes", "bytes/rank", true, 0},
                     {"wire_bytes", "bytes on wire", true, 0},
                     {"time_us", "time of both phases", true, 0},
                     {"state", "", false, 0}};
  for (const std::string& pattern : order) {
    const auto in_a = of_a.find(pattern), in_b = of_b.find(pattern);
    const ModuleSum now = in_a == of_a.end() ? ModuleSum{} : in_a->second,
                    old = in_b == of_b.end() ? ModuleSum{} : in_b->second;
    const bool only_a = in_b == of_b.end(), only_b = in_a == of_a.end();
    const double seconds = now.seconds - old.seconds;
    const bool same = !only_a && !only_b && now.strategy == old.strategy && now.bytes == old.bytes &&
                      now.wire == old.wire && std::abs(seconds) < 1e-9;
    ++(only_a ? c.only_a : only_b ? c.only_b : same ? c.same : c.changed);
    if (same && changed_only) continue;
    cli::Row row;
    row.cells = {cli::cell(pattern),
                 cli::cell(now.strategy),
                 cli::cell(old.strategy),
                 byte_cell(now.bytes - old.bytes),
                 byte_cell(now.wire - old.wire),
                 cli::cell(seconds * 1e6, 3, std::abs(seconds) < 1e-9 ? "=" : signed_time(seconds)),
                 cli::cell(std::string(only_a   ? "only A"
                                       : only_b ? "only B"
                                       : same   ? "same"
                                                : "changed"))};
    c.table.rows.push_back(std::move(row));
    c.paths.push_back(pattern);
  }
  return c;
}

}  // namespace tpsim::gui
