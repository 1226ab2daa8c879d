#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/plan_draft.h"
#include "cli/plan_output.h"
#include "cli/sizes.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

// Keys below the base model without its name, as a config class states them; others are dropped.
Plan relative_to_base(const Plan& plan, const std::string& base) {
  const std::string prefix = base + ".";
  Plan relative;
  for (Rule rule : plan.rules) {
    if (!rule.key.starts_with(prefix)) continue;
    rule.key = rule.key.substr(prefix.size());
    relative.rules.push_back(std::move(rule));
  }
  return relative;
}

Result<int> run(Context& context) {
  Options options = context.options;
  const bool relative = options.base_plan;
  options.base_plan = false;
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  const std::string base = scenario->model().base;
  const std::string type = scenario->model().model_type;
  const auto draft = draft_plan(std::move(*scenario), *tp);
  if (!draft) return draft.error();
  context.out = plan_text(relative ? relative_to_base(draft->plan, base) : draft->plan, options);
  if (options.quiet) return kExitYes;
  context.err += draft->shipped ? "the plan that " + to_string(options.dialect) + " ships for " + type + "\n"
                                : "drafted for " + type + " and right at TP " + std::to_string(*tp) + "\n";
  for (const auto& module : draft->left_out) context.err += "left out: " + module + "\n";
  return kExitYes;
}

}  // namespace

Command plan_init_command() {
  Command command;
  command.name = "plan init";
  command.summary = "a plan to start from: the shipped one, or a draft that is right";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kPlanOutputFlags;
  command.required = {"model"};
  command.in_usage = {"dialect", "tp", "output", "python"};
  command.examples = {
      {"tpsim plan init -m config.json -o my_plan.json", ""},
      {"tpsim plan init -m config.json --python --base-plan", "for a config class: base_model_tp_plan"}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
