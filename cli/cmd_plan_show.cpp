#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/plan_output.h"
#include "cli/plan_table.h"
#include "cli/report.h"
#include "cli/sizes.h"
#include "cli/text.h"
#include "cli/verbose.h"

namespace tpsim::cli {
namespace {

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
  document.table = plan_table(*analysis, options.units);
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
