#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/memory_table.h"
#include "cli/report.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"

namespace tpsim::cli {
namespace {

std::vector<std::string> notes_of(const Scenario& s, const SizeResult& result, Units units) {
  const MemoryFit& m = result.memory;
  const std::int64_t spare = m.capacity - m.total;
  std::vector<std::string> notes = {
      s.hardware.name + ": " + bytes_text(m.capacity, units) + ", " +
      (spare >= 0 ? bytes_text(spare, units) + " free" : bytes_text(-spare, units) + " too much")};
  notes.push_back("rank " + std::to_string(heaviest_rank(result.forward)) + " (the heaviest) of " +
                  std::to_string(result.devices()) + "; KV cache of " + std::to_string(s.batch) + " x " +
                  std::to_string(s.context) + " tokens, " + bytes_text(result.forward.kv_bytes_per_token, units) +
                  " per token over all ranks");
  return notes;
}

void write_json(JsonWriter& json, const Scenario& s, const SizeResult& result, const Table& table) {
  json.begin_object();
  json.member("schema", "tpsim.memory/1");
  write_inputs(json, s, result.forward);
  write_workload(json, s);
  json.member("tp", result.tp);
  json.member("heaviest_rank", heaviest_rank(result.forward));
  json.member("fits", result.memory.fits);
  json.member("capacity_bytes", result.memory.capacity);
  json.member("total_bytes", result.memory.total);
  json.member("kv_bytes_per_token", result.forward.kv_bytes_per_token);
  json.member("max_kv_tokens", result.memory.max_kv_tokens);
  json.key("parts");
  write_rows(table, json);
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
  document.title = "Memory of " + scenario->input.source.id + " at TP " + std::to_string(*tp);
  document.heading = scenario_heading(*scenario, result->forward, problems, options, context.terminal.width);
  document.table = memory_table(*result, options.units);
  document.notes = notes_of(*scenario, *result, options.units);
  document.json = [&, table = document.table](JsonWriter& json) { write_json(json, *scenario, *result, table); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command memory_command() {
  Command command;
  command.name = "memory";
  command.summary = "memory of the heaviest rank, by module and by part";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "tp", "hw", "batch", "ctx"};
  command.examples = {{"tpsim memory -m llama-3.1-70b --tp 4", ""},
                      {"tpsim memory -m config.json --tp 8 --sort -rank_bytes", "largest parts first"}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
