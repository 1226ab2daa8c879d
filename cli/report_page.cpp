#include "cli/report_page.h"

#include <algorithm>
#include <cmath>

#include "cli/bar_chart.h"
#include "cli/chart.h"
#include "cli/comm_table.h"
#include "cli/memory_table.h"
#include "cli/messages.h"
#include "cli/plan_output.h"
#include "cli/plan_table.h"
#include "cli/text.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

constexpr int kHeadingWidth = 100;
constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string size_name(const SizeResult& result) { return "TP " + std::to_string(result.tp); }

BarChart memory_chart(const Report& report, Units units) {
  BarChart chart;
  chart.title = "Memory of the heaviest rank";
  chart.unit = "GiB";
  chart.parts = {"weights", "KV cache", "activations", "communication", "runtime"};
  for (const SizeResult& result : report.results) {
    const MemoryFit& m = result.memory;
    Bar bar{size_name(result), {}, bytes_text(m.total, units) + (m.fits ? "" : "  NO"), {}};
    for (const std::int64_t bytes : {m.weights, m.kv_cache, m.activations, m.communication, m.runtime})
      bar.parts.push_back(static_cast<double>(bytes) / kGiB);
    chart.bars.push_back(std::move(bar));
  }
  chart.limit = static_cast<double>(report.scenario.hardware.memory.value) / kGiB;
  chart.limit_name = bytes_text(report.scenario.hardware.memory.value, units);
  return chart;
}

BarChart time_chart(const Report& report, const char* title, std::optional<PhaseResult> SizeResult::*phase) {
  BarChart chart;
  chart.title = title;
  chart.unit = "ms";
  chart.parts = {"computation", "communication", "host"};
  for (const SizeResult& result : report.results) {
    const auto& timed = result.*phase;
    if (!timed) continue;
    const Prediction& t = timed->time;
    chart.bars.push_back({size_name(result),
                          {milliseconds(t.compute), milliseconds(t.communication), milliseconds(t.host)},
                          time_text(t.total.count()),
                          std::pair(milliseconds(t.low), milliseconds(t.high))});
  }
  return chart;
}

PageSection sizes_section(const Report& report, const Options& options) {
  return {"Sizes", report_notes(report, options.units), {}, {report_table(report, options.units)}, ""};
}

PageSection pictures_section(const Report& report, const Options& options) {
  PageSection section{
      "Pictures", {"Whiskers: 90 % bands."}, {svg_bars(memory_chart(report, options.units), page_ink())}, {}, ""};
  for (const BarChart& chart : {time_chart(report, "Prefill of the whole batch", &SizeResult::prefill),
                                time_chart(report, "A step of decoding", &SizeResult::decode)})
    if (!chart.bars.empty()) section.pictures.push_back(svg_bars(chart, page_ink()));
  if (const auto series = speedup_series(report); !series.empty() && report.results.size() > 1)
    section.pictures.push_back(svg_chart(series, "Speed-up", page_ink()));
  return section;
}

PageSection problems_section(const Report& report) {
  PageSection section{"Problems", {}, {}, {}, ""};
  for (const Diagnostic& d : with_sizes(report.problems, report.sizes())) {
    std::string text = diagnostic_line(d, Terminal{});
    if (!d.where.empty()) text += " (" + d.where + ")";
    for (const std::string& detail : d.details) text += "; " + detail;
    for (const Fix& fix : d.fixes) text += "; fix: " + fix.title;
    section.paragraphs.push_back(std::move(text));
  }
  if (section.paragraphs.empty()) section.paragraphs.emplace_back("None.");
  return section;
}

PageSection assumptions_section(const Report& report) {
  PageSection section{"Assumptions", {}, {}, {}, ""};
  Table table;
  table.columns = {{"name", "what", false}, {"value", "value", false}, {"set_by", "set by", false}};
  for (const Assumption& a : report.scenario.assumptions) {
    Row row;
    row.cells = {cell(a.name), cell(a.value), cell(a.set_by)};
    table.rows.push_back(std::move(row));
  }
  section.tables = {std::move(table)};
  section.paragraphs = {"Hardware: " + report.scenario.hardware.title + ", " + report.scenario.hardware.origin + "."};
  return section;
}

}  // namespace

const SizeResult& size_to_show(const Report& report) {
  if (const SizeResult* fits = report.smallest_fit()) return *fits;
  const auto runs =
      std::find_if(report.results.rbegin(), report.results.rend(), [](const SizeResult& r) { return r.runs(); });
  return runs == report.results.rend() ? report.results.back() : *runs;
}

Page report_page(const Report& report, const Options& options) {
  const SizeResult& shown = size_to_show(report);
  const std::string at = " at " + size_name(shown);
  Page page;
  page.title = report.scenario.input.source.id + " on " + report.scenario.hardware.name;
  page.heading = report_heading(report, options, kHeadingWidth);
  page.sections = {sizes_section(report, options),
                   pictures_section(report, options),
                   problems_section(report),
                   {"Memory" + at, {}, {}, {memory_table(shown, options.units)}, ""}};
  if (shown.prefill || shown.decode)
    page.sections.push_back({"Collectives" + at, {}, {}, {comm_table(shown, options.units)}, ""});
  page.sections.push_back({"Plan" + at, {}, {}, {plan_table(shown.forward, options.units)}, ""});
  page.sections.push_back({"Plan as a dictionary", {}, {}, {}, to_python(plan_in_effect(shown.forward))});
  page.sections.push_back(assumptions_section(report));
  page.foot = std::string("Written by tpsim ") + kVersion +
              ". Shapes, ranges, bytes and collectives are exact; times are predicted, with the bands shown.";
  return page;
}

}  // namespace tpsim::cli
