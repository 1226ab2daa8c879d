#include "cli/collective_rows.h"
#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/report.h"
#include "cli/report_details.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"

namespace tpsim::cli {
namespace {

Row row_of(std::string_view phase, const CollectiveRow& c, Units units) {
  const Seconds all = c.time * static_cast<double>(c.count);
  Row row;
  row.cells = {cell(std::string(phase)),
               cell(std::string(to_string(c.op))),
               cell(c.module),
               cell(to_string(c.input_shape)),
               cell(std::int64_t{c.group}),
               cell(c.payload_bytes, bytes_text(c.payload_bytes, units)),
               cell(c.wire_bytes_per_rank, bytes_text(c.wire_bytes_per_rank, units)),
               cell(c.count),
               cell(c.algorithm),
               cell(microseconds(c.time), 3, time_text(c.time.count())),
               cell(microseconds(all), 3, time_text(all.count())),
               cell(c.algbw, 0, rate_text(c.algbw, "B/s")),
               cell(c.busbw, 0, rate_text(c.busbw, "B/s")),
               {c.data_dependent, c.data_dependent ? "mean" : "", Style::plain}};
  return row;
}

Table comm_table(const SizeResult& result, Units units) {
  Table table;
  table.columns = {{"phase", "phase", false, 0},
                   {"op", "collective", false, 0},
                   {"after", "after", false, 0},
                   {"input_shape", "input", true, 120},
                   {"group", "ranks", true, 140},
                   {"payload_bytes", "payload", true, 0},
                   {"wire_bytes_per_rank", "on wire", true, 140},
                   {"count", "count", true, 0},
                   {"algorithm", "how", false, 140},
                   {"time_us", "each", true, 100},
                   {"total_us", "all", true, 0},
                   {"algbw", "algbw", true, 160},
                   {"busbw", "busbw", true, 120},
                   {"data_dependent", "", false, 160}};
  if (result.prefill) {
    for (const auto& c : collective_rows(result.prefill->analysis, result.prefill->time)) {
      table.rows.push_back(row_of("prefill", c, units));
    }
  }
  if (result.decode) {
    for (const auto& c : collective_rows(result.decode->analysis, result.decode->time)) {
      table.rows.push_back(row_of("decode", c, units));
    }
  }
  return table;
}

std::string phase_note(const char* name, const PhaseResult& p, Units units) {
  std::int64_t wire = 0, count = 0;
  for (const auto& c : collective_rows(p.analysis, p.time)) {
    wire += c.wire_bytes_per_rank * c.count;
    count += c.count;
  }
  return std::string(name) + ": " + plural(count, "collective") + ", " + bytes_text(wire, units) +
         " on the wire per rank, " + time_text(p.time.communication.count()) + " of " +
         time_text(p.time.total.count()) + " (" + percent(p.comm_share, 1) + ")";
}

void write_json(JsonWriter& json, const Scenario& s, const SizeResult& result) {
  json.begin_object();
  json.member("schema", "tpsim.comm/1");
  write_inputs(json, s, result.forward);
  write_workload(json, s);
  json.member("tp", result.tp);
  json.member("verdict", to_string(result.forward.verdict));
  json.key("comm");
  write_comm(json, result);
  json.end_object();
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  const auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  const auto result = size_up(*scenario, *tp, Baseline{});
  if (!result) return result.error();
  explain_inputs(context, *scenario, result->forward);
  std::vector<Problem> problems;
  merge(problems, result->forward.diagnostics, *tp);
  Document document;
  document.title = "Collectives of " + scenario->input.source.id + " at TP " + std::to_string(*tp);
  document.heading = scenario_heading(*scenario, result->forward, problems, options, context.terminal.width);
  document.table = comm_table(*result, options.units);
  if (result->prefill) document.notes.push_back(phase_note("prefill", *result->prefill, options.units));
  if (result->decode) document.notes.push_back(phase_note("decode", *result->decode, options.units));
  if (!result->runs()) document.notes.emplace_back("the plan is an error at this size; see tpsim check");
  document.json = [&](JsonWriter& json) { write_json(json, *scenario, *result); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command comm_command() {
  Command command;
  command.name = "comm";
  command.summary = "the collectives of one pass: where, how many bytes, how long";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "tp", "hw", "phase"};
  command.examples = {{"tpsim comm -m llama-3.1-70b --tp 8", ""},
                      {"tpsim comm -m config.json -p plan.json --tp 4 --phase decode --format csv", ""}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
