// `plan convert` and `plan fmt`: plans in, plans out, no model.
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/plan_output.h"
#include "cli/text.h"
#include "core/strategy.h"

namespace tpsim::cli {
namespace {

Result<Plan> required_plan(const Options& options) {
  const auto input = load_plan(options);
  if (!input) return input.error();
  if (input->choice.kind != PlanKind::manual) return usage_error("this command needs a plan file: -p FILE");
  return input->choice.plan;
}

struct Conversion {
  Plan plan;
  std::vector<std::string> changed, without_equivalent;
};

Conversion convert(Plan plan, const Dialect& to) {
  Conversion result;
  for (Rule& rule : plan.rules) {
    const auto name = equivalent_name(rule.strategy, to);
    if (name && *name != rule.strategy) {
      result.changed.push_back(rule.key + ": " + rule.strategy + " -> " + std::string(*name));
      rule.strategy = std::string(*name);
    } else if (!name && !find_strategy(rule.strategy, to)) {
      result.without_equivalent.push_back(rule.key + ": " + rule.strategy);
    }
  }
  result.plan = std::move(plan);
  return result;
}

Result<int> run_convert(Context& context) {
  const Options& options = context.options;
  const auto to = parse_dialect(*options.to);
  if (!to) return to.error();
  auto plan = required_plan(options);
  if (!plan) return plan.error();
  const Conversion result = convert(std::move(*plan), *to);
  context.out = plan_text(result.plan, options);
  if (!options.quiet) {
    for (const auto& line : result.changed) context.err += "changed " + line + "\n";
  }
  for (const auto& line : result.without_equivalent) {
    context.err += styled("warning", Style::yellow, context.err_terminal) + ": no equivalent in " + to_string(*to) +
                   ", left as it is: " + line + "\n";
  }
  return result.without_equivalent.empty() ? kExitYes : kExitNo;
}

Result<int> run_fmt(Context& context) {
  const auto plan = required_plan(context.options);
  if (!plan) return plan.error();
  context.out = plan_text(*plan, context.options);
  return kExitYes;
}

}  // namespace

Command plan_convert_command() {
  Command command;
  command.name = "plan convert";
  command.summary = "the plan with strategy names of another release";
  command.flags = kPlanFlags | kConvertFlags | kPlanOutputFlags;
  command.required = {"plan", "to"};
  command.in_usage = {"output", "python"};
  command.examples = {{"tpsim plan convert -p my_plan.json --to transformers-5.1 -o new_plan.json", ""}};
  command.description =
      "Changes only names that the release calls otherwise. A strategy that it lacks stays as it is, is named on "
      "standard "
      "error, and the exit code is 1.";
  command.run = run_convert;
  return command;
}

Command plan_fmt_command() {
  Command command;
  command.name = "plan fmt";
  command.summary = "the plan in its normal form: one rule a line, in order";
  command.flags = kPlanFlags | kPlanOutputFlags;
  command.required = {"plan"};
  command.in_usage = {"output", "python"};
  command.examples = {{"tpsim plan fmt -p plan.py -o plan.json", "from a Python dictionary to JSON"}};
  command.run = run_fmt;
  return command;
}

}  // namespace tpsim::cli
