#include "cli/memory_table.h"

#include <algorithm>

#include "cli/text.h"

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

}  // namespace

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

}  // namespace tpsim::cli
