#include "gui/model/edits.h"

#include <algorithm>

#include "cli/text_edit.h"
#include "core/effective_plan.h"
#include "core/repair.h"

namespace tpsim::gui {
namespace {

bool is_own(const PlanEntry& plan) { return !plan.text.empty(); }

std::string free_name(const Document& d, const std::string& wanted) {
  const auto taken = [&](const std::string& name) {
    return std::any_of(d.plans.begin(), d.plans.end(), [&](const PlanEntry& p) { return p.name == name; });
  };
  std::string name = wanted;
  for (int i = 2; taken(name); ++i) name = wanted + " " + std::to_string(i);
  return name;
}

// The entry that an edit of A may change.
PlanEntry& own_plan(Document& d) {
  const PlanEntry& current = d.plan_a();
  if (is_own(current) && d.edited != d.baseline) return d.plans[static_cast<std::size_t>(d.edited)];
  PlanEntry copy = current;
  copy.name = free_name(d, current.name + " edited");
  d.plans.push_back(copy);
  d.edited = static_cast<int>(d.plans.size()) - 1;
  return d.plans.back();
}

// "model.layers.*.mlp" -> "model.layers.7.mlp"
std::string with_index(const std::string& pattern, int index) {
  const auto star = pattern.find('*');
  if (star == std::string::npos) return pattern;
  return pattern.substr(0, star) + std::to_string(index) + pattern.substr(star + 1);
}

}  // namespace

PlanChoice current_plan(const cli::Scenario& scenario) {
  const AnalysisRequest request = cli::request_for(scenario, 2, cli::Pass::forward);
  PlanChoice choice = editable_plan(scenario.model(), request);
  if (scenario.plan.choice.kind == PlanKind::automatic && choice.plan.rules.empty())
    for (const ResolvedRule& resolved : effective_plan(scenario.model(), request).rules)
      choice.plan.rules.push_back(resolved.rule);
  return choice;
}

const char* to_string(Scope scope) { return scope == Scope::rule ? "this rule" : "this layer"; }

std::vector<PatchOperation> strategy_patch(const Analysis& analysis, const ModuleRow& row, const std::string& strategy,
                                           Scope scope) {
  const bool has_rule = row.rule >= 0;
  const std::string key = has_rule && scope == Scope::rule ? analysis.rules[static_cast<std::size_t>(row.rule)].rule.key
                          : scope == Scope::layer          ? with_index(row.pattern, row.first_index)
                                                           : row.pattern;
  if (strategy.empty())
    return has_rule ? std::vector<PatchOperation>{{"remove", key, ""}} : std::vector<PatchOperation>{};
  return {{has_rule && scope == Scope::rule ? "replace" : "add", key, strategy}};
}

Edit edit_plan(const Document& d, const cli::Scenario& scenario, const std::vector<PatchOperation>& patch,
               std::string name) {
  Edit edit{std::move(name), d};
  const PlanChoice choice = current_plan(scenario);
  const Plan patched = apply_patch(choice.plan, patch);
  PlanEntry& entry = own_plan(edit.next);
  const auto edits = is_own(entry) ? cli::text_edits(entry.text, choice.plan, patch) : std::nullopt;
  entry.text = edits ? cli::with_edits(entry.text, *edits) : to_json(patched);
  entry.base_plan = choice.base_plan;
  return edit;
}

Edit edit_plan_text(const Document& d, std::string text) {
  Edit edit{"plan text", d};
  own_plan(edit.next).text = std::move(text);
  return edit;
}

Edit add_plan(const Document& d, PlanEntry plan) {
  Edit edit{"open plan " + plan.name, d};
  plan.name = free_name(d, plan.name);
  edit.next.plans.push_back(std::move(plan));
  edit.next.edited = static_cast<int>(edit.next.plans.size()) - 1;
  return edit;
}

Edit remove_plan(const Document& d, std::size_t index) {
  Edit edit{"close plan " + d.plans[index].name, d};
  if (d.plans.size() < 2) return edit;
  edit.next.plans.erase(edit.next.plans.begin() + static_cast<std::ptrdiff_t>(index));
  const auto moved = [&](int at) {
    return at > static_cast<int>(index) || at == static_cast<int>(d.plans.size()) - 1 ? std::max(0, at - 1) : at;
  };
  edit.next.edited = moved(d.edited);
  edit.next.baseline = moved(d.baseline);
  return edit;
}

Edit swap_sides(const Document& d) {
  Edit edit{"swap A and B", d};
  std::swap(edit.next.edited, edit.next.baseline);
  return edit;
}

Edit make_baseline(const Document& d) {
  Edit edit{d.plan_a().name + " is the baseline", d};
  edit.next.baseline = d.edited;
  return edit;
}

Edit suppress(const Document& d, const Diagnostic& diagnostic) {
  Edit edit{"suppress " + diagnostic.code, d};
  edit.next.suppressed.push_back(suppression(diagnostic));
  return edit;
}

std::string plan_text_of(const Document& d, const cli::Scenario& scenario) {
  return is_own(d.plan_a()) ? d.plan_a().text : to_json(current_plan(scenario).plan);
}

}  // namespace tpsim::gui
