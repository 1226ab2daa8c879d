#include "cli/measurement_output.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include "cli/sha256.h"
#include "cli/text.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

constexpr int kMicroseconds = 4;  // decimals
constexpr int kShares = 6;

double share_of(const MeasuredCalls& row, const PassMeasurement& pass) {
  const double total = pass.total.median.count();
  return total > 0 ? row.each.median.count() * static_cast<double>(row.calls.count) / total : 0;
}

Cell time_cell(Seconds time) { return cell(microseconds(time), kMicroseconds, time_text(time.count())); }

Row timing_row(const std::string& phase, const CallGroup& calls, const Timing& timing, double share) {
  Row row;
  const bool whole = calls.count == 0;
  row.cells = {cell(phase),
               named_cell(calls.name, calls),
               cell(calls.module),
               cell(calls.shape),
               whole ? no_value() : cell(calls.count),
               time_cell(timing.median),
               time_cell(timing.p10),
               time_cell(timing.p90),
               cell(timing.cv * 100, 2, fixed(timing.cv * 100, 1) + (timing.cv > kUnstable ? " unstable" : "")),
               cell(share * 100, 2, fixed(share * 100, 1))};
  return row;
}

void add_rows(Table& table, const PassMeasurement& pass) {
  std::vector<const MeasuredCalls*> rows;
  for (const MeasuredCalls& row : pass.calls) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto* a, const auto* b) { return share_of(*a, pass) > share_of(*b, pass); });
  for (const MeasuredCalls* row : rows)
    table.rows.push_back(timing_row(pass.phase, row->calls, row->each, share_of(*row, pass)));
  const double total = std::max(pass.total.median.count(), 1e-12);
  CallGroup name;
  name.name = "other";
  table.rows.push_back(timing_row(pass.phase, name, pass.other, pass.other.median.count() / total));
  name.name = "rank skew";
  table.rows.push_back(timing_row(pass.phase, name, pass.skew, pass.skew.median.count() / total));
  name.name = "pass";
  table.rows.push_back(timing_row(pass.phase, name, pass.total, 1));
}

void write_pass(JsonWriter& json, const PassMeasurement& pass) {
  json.begin_object();
  json.member("phase", pass.phase);
  json.member("batch", pass.batch);
  json.member("tokens", pass.tokens);
  json.member("past", pass.past);
  write_timing(json, "total", pass.total);
  write_timing(json, "other", pass.other);
  write_timing(json, "skew", pass.skew);
  json.key("calls");
  json.begin_array();
  for (const MeasuredCalls& row : pass.calls) {
    json.begin_object();
    write_calls(json, row.calls);
    write_timing(json, "each", row.each);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_text_or_null(JsonWriter& json, std::string_view name, const std::string& text) {
  json.key(name);
  if (text.empty()) return json.null();
  json.value(text);
}

// What the flags named, and what lay behind the names.
void write_inputs(JsonWriter& json, const RunSetup& setup, const Options& options) {
  json.key("inputs");
  json.begin_object();
  json.member("model", *options.model);
  json.member("model_sha256", sha256_hex(setup.model.source.text));
  json.array("set", options.set);
  json.member("plan", options.plan.value_or("auto"));
  write_text_or_null(json, "plan_sha256", setup.plan.file.empty() ? std::string() : sha256_hex(setup.plan.text));
  json.member("base_plan", options.base_plan);
  write_text_or_null(json, "ep_plan", options.ep_plan.value_or(""));
  write_text_or_null(json, "strategy_file", options.strategy_file.value_or(""));
  json.end_object();
}

void write_provenance(JsonWriter& json, const RunSetup& setup, const Measurement& measurement) {
  json.key("provenance");
  json.begin_object();
  json.member("tpsim", kVersion);
  json.member("processor", processor_name());
  json.member("hardware_threads", static_cast<std::int64_t>(std::thread::hardware_concurrency()));
  json.member("compiler", __VERSION__);
  json.member("weights", setup.weight_source);
  json.member("warmup", measurement.warmup);
  json.member("iterations", measurement.iterations);
  json.end_object();
}

}  // namespace

Cell named_cell(const std::string& name, const CallGroup& calls) {
  const std::string last = calls.module.substr(calls.module.rfind('.') + 1);
  Cell named = cell(name);
  if (!last.empty() && last != "*") named.text += " " + last;
  return named;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

Table measurement_table(const Measurement& measurement) {
  Table table;
  table.columns = {
      {"phase", "phase", false},     {"call", "call", false},     {"module", "module", false, kOnlyForPrograms},
      {"shape", "shape", false, 90}, {"count", "calls"},          {"median_us", "median"},
      {"p10_us", "p10", true, 120},  {"p90_us", "p90", true, 70}, {"cv_percent", "cv, %", false},
      {"share_percent", "share, %"}};
  for (const PassMeasurement& pass : measurement.passes) add_rows(table, pass);
  return table;
}

void write_timing(JsonWriter& json, std::string_view name, const Timing& timing) {
  json.key(name);
  json.begin_object();
  json.member("n", timing.n);
  json.member("median_us", microseconds(timing.median), kMicroseconds);
  json.member("p10_us", microseconds(timing.p10), kMicroseconds);
  json.member("p90_us", microseconds(timing.p90), kMicroseconds);
  json.member("cv", timing.cv, kShares);
  json.end_object();
}

void write_calls(JsonWriter& json, const CallGroup& calls) {
  json.member("module", calls.module);
  json.member("name", calls.name);
  json.member("shape", calls.shape);
  json.member("collective", calls.collective);
  json.member("bytes", calls.bytes);
  json.member("count", calls.count);
}

void write_measurement(JsonWriter& json, const RunSetup& setup, const Options& options,
                       const Measurement& measurement) {
  json.key("measurement");
  json.begin_object();
  write_inputs(json, setup, options);
  write_provenance(json, setup, measurement);
  json.key("passes");
  json.begin_array();
  for (const PassMeasurement& pass : measurement.passes) write_pass(json, pass);
  json.end_array();
  json.end_object();
}

}  // namespace tpsim::cli
