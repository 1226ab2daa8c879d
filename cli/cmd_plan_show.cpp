#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/plan_output.h"
#include "cli/report.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"

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

Table resolved_table(const Analysis& analysis, Units units) {
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

void write_json(JsonWriter& json, const Scenario& s, const Analysis& analysis, const Table& table) {
  json.begin_object();
  json.member("schema", "tpsim.plan/1");
  write_inputs(json, s, analysis);
  json.member("tp", analysis.parallelism.tp);
  json.key("rules");
  json.begin_array();
  for (const ResolvedRule& r : analysis.rules) {
    json.begin_object();
    json.member("key", r.rule.key);
    json.member("strategy", r.rule.strategy);
    json.member("origin", to_string(r.origin));
    json.member("known_strategy", r.known_strategy);
    json.member("modules", r.modules);
    json.member("parameters", r.parameters);
    json.end_object();
  }
  json.end_array();
  json.key("resolved");
  write_rows(table, json);
  json.end_object();
}

Plan plan_in_effect(const Analysis& analysis) {
  Plan plan;
  for (const ResolvedRule& resolved : analysis.rules) plan.rules.push_back(resolved.rule);
  return plan;
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  const auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  const auto analysis = analyze(scenario->model(), request_for(*scenario, *tp, Pass::forward));
  if (!analysis) return analysis.error();
  explain_inputs(context, *scenario, *analysis);
  if (options.python) {
    context.out = plan_text(plan_in_effect(*analysis), options);
    return kExitYes;
  }
  std::vector<Problem> problems;
  merge(problems, analysis->diagnostics, *tp);
  Document document;
  document.title = "Plan of " + scenario->input.source.id + " at TP " + std::to_string(*tp);
  document.heading = scenario_heading(*scenario, *analysis, problems, options, context.terminal.width);
  document.heading.resize(std::min<std::size_t>(document.heading.size(), 2));
  document.table = resolved_table(*analysis, options.units);
  document.json = [&, table = document.table](JsonWriter& json) { write_json(json, *scenario, *analysis, table); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command plan_show_command() {
  Command command;
  command.name = "plan show";
  command.summary = "the plan in effect: which rule decides which parameter, and how it is cut";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kDtypeFlags | kTableFlags |
                  kPlanOutputFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "dialect", "tp"};
  command.examples = {{"tpsim plan show -m llama-3.1-8b --tp 8", ""},
                      {"tpsim plan show -m config.json -p auto --python", "the shipped plan, merged, as a dictionary"}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
