#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/report.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"

namespace tpsim::cli {
namespace {

struct ModuleMemory {
  std::string module;
  std::int64_t count = 0;  // modules
  std::string strategy;
  std::int64_t total = 0, on_rank = 0, replicated = 0;
};

std::string module_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('.')); }

std::vector<ModuleMemory> by_module(const Analysis& analysis, std::size_t rank) {
  std::vector<ModuleMemory> modules;
  for (const ShardSpec& spec : analysis.shards) {
    const std::string module = module_of(spec.pattern);
    if (modules.empty() || modules.back().module != module || modules.back().strategy != spec.strategy) {
      modules.push_back({module, spec.count, spec.strategy, 0, 0, 0});
    }
    const std::int64_t local = spec.ranks[rank].bytes * spec.count;
    modules.back().total += spec.bytes * spec.count;
    modules.back().on_rank += local;
    if (cut_dim(spec.placement) < 0) modules.back().replicated += local;
  }
  return modules;
}

Cell bytes_cell(std::int64_t bytes, Units units) { return cell(bytes, bytes_text(bytes, units)); }

Row part_row(const std::string& part, std::int64_t on_rank, std::int64_t total, Units units) {
  Row row;
  row.cells = {cell(part, Style::bold),
               no_value(),
               no_value(),
               no_value(),
               bytes_cell(on_rank, units),
               cell(static_cast<double>(on_rank) / static_cast<double>(std::max<std::int64_t>(total, 1)), 4,
                    percent(static_cast<double>(on_rank) / static_cast<double>(std::max<std::int64_t>(total, 1)), 1))};
  return row;
}

Row module_row(const ModuleMemory& m, std::int64_t total, Units units) {
  Row row = part_row(m.module, m.on_rank, total, units);
  row.cells[0].style = Style::plain;
  row.cells[1] = cell(m.count);
  row.cells[2] = cell(m.strategy.empty() ? std::string("no rule") : m.strategy);
  row.cells[3] = bytes_cell(m.total, units);
  return row;
}

Table memory_table(const SizeResult& result, Units units) {
  const MemoryFit& m = result.memory;
  Table table;
  table.columns = {{"part", "part", false, 0},          {"count", "count", true, 0},
                   {"strategy", "strategy", false, 80}, {"all_bytes", "unsharded", true, 80},
                   {"rank_bytes", "per rank", true, 0}, {"share", "share", true, 0}};
  for (const auto& module : by_module(result.forward, static_cast<std::size_t>(heaviest_rank(result.forward)))) {
    table.rows.push_back(module_row(module, m.total, units));
  }
  table.rows.push_back(part_row("weights", m.weights, m.total, units));
  table.rows.push_back(part_row("KV cache", m.kv_cache, m.total, units));
  table.rows.push_back(part_row("activations", m.activations, m.total, units));
  table.rows.push_back(part_row("communication", m.communication, m.total, units));
  table.rows.push_back(part_row("runtime", m.runtime, m.total, units));
  table.rows.push_back(part_row("total", m.total, m.total, units));
  return table;
}

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
