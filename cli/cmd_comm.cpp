#include "cli/collective_rows.h"
#include "cli/comm_table.h"
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
