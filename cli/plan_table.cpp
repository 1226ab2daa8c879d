#include "cli/plan_table.h"

#include "cli/text.h"

namespace tpsim::cli {
namespace {

const ResolvedRule* rule_of(const Analysis& analysis, const ShardSpec& spec) {
  return spec.rule < 0 ? nullptr : &analysis.rules[static_cast<std::size_t>(spec.rule)];
}

Row parameter_row(const Analysis& analysis, const ShardSpec& spec, Units units) {
  const ResolvedRule* const rule = rule_of(analysis, spec);
  const RankShard& first = spec.ranks.front();
  Row row;
  row.cells = {cell(spec.pattern),
               cell(spec.count),
               cell(to_string(spec.shape)),
               rule == nullptr ? no_value() : cell(spec.strategy),
               cell(to_string(spec.placement)),
               cell(to_string(first.shape)),
               cell(first.bytes * spec.count, bytes_text(first.bytes * spec.count, units)),
               rule == nullptr ? no_value() : cell(rule->rule.key),
               rule == nullptr ? no_value() : cell(std::string(to_string(rule->origin)))};
  return row;
}

// A rule that decides no parameter: it changes modules' calls, or nothing at all.
Row rule_row(const ResolvedRule& resolved) {
  Row row;
  const bool idle = resolved.modules == 0;
  row.cells = {cell(resolved.rule.key),
               cell(resolved.modules),
               no_value(),
               cell(resolved.rule.strategy),
               cell(std::string(idle ? "matches nothing" : "call only")),
               no_value(),
               no_value(),
               cell(resolved.rule.key),
               cell(std::string(to_string(resolved.origin)))};
  return row;
}

}  // namespace

Table plan_table(const Analysis& analysis, Units units) {
  Table table;
  table.columns = {{"name", "module or parameter", false, 0},
                   {"count", "count", true, 95},
                   {"shape", "shape", true, 90},
                   {"strategy", "strategy", false, 0},
                   {"placement", "placement", false, 100},
                   {"local_shape", "on rank 0", true, 80},
                   {"rank_bytes", "per rank", true, 120},
                   {"rule", "rule", false, 160},
                   {"origin", "from", false, 140}};
  for (const ShardSpec& spec : analysis.shards) table.rows.push_back(parameter_row(analysis, spec, units));
  for (const ResolvedRule& rule : analysis.rules)
    if (rule.parameters == 0) table.rows.push_back(rule_row(rule));
  return table;
}

}  // namespace tpsim::cli
