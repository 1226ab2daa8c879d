#include "cli/plan_output.h"

namespace tpsim::cli {

std::string plan_text(const Plan& plan, const Options& options) {
  const bool python = options.python || (options.output && options.output->ends_with(".py"));
  std::string text = python ? to_python(plan) : to_json(plan);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

Plan plan_in_effect(const Analysis& analysis) {
  Plan plan;
  for (const ResolvedRule& resolved : analysis.rules) plan.rules.push_back(resolved.rule);
  return plan;
}

}  // namespace tpsim::cli
