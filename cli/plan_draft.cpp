#include "cli/plan_draft.h"

#include <algorithm>
#include <map>

#include "core/effective_plan.h"

namespace tpsim::cli {
namespace {

// Modules of one block that are cut together.
struct Group {
  std::string block;
  std::vector<std::string> inputs, outputs;  // patterns; outputs map back to the hidden size
};

struct Candidates {
  std::vector<Group> groups;
  std::vector<std::string> embeddings, heads;
};

class Collector {
public:
  explicit Collector(const Model& model) : model_(model) {}

  Candidates run() {
    visit(model_.root, "", false);
    return std::move(found_);
  }

private:
  void visit(int type_index, const std::string& path, bool in_layer) {
    const ModuleType& type = model_.type(type_index);
    Group group;
    group.block = path;
    for (const Child& child : type.children) {
      if (child.types.empty()) continue;
      const std::string name = (path.empty() ? "" : path + ".") + child.name + (child.is_list ? ".*" : "");
      note(model_.type(child.types.front()), name, in_layer, group);
      for (const int kind : distinct(child.types)) visit(kind, name, in_layer || child.is_list);
    }
    if (!group.inputs.empty() && !group.outputs.empty()) add(std::move(group));
  }

  void note(const ModuleType& type, const std::string& name, bool in_layer, Group& group) {
    if (type.kind == ModuleKind::embedding && !in_layer && rows(type) == model_.vocab_size)
      found_.embeddings.push_back(name);
    if (type.kind != ModuleKind::linear || !type.in_features || !type.out_features) return;
    if (!in_layer) {
      if (*type.out_features == model_.vocab_size) found_.heads.push_back(name);
      return;
    }
    const bool back = *type.out_features == model_.hidden_size && !group.inputs.empty();
    (back ? group.outputs : group.inputs).push_back(name);
  }

  static std::int64_t rows(const ModuleType& type) {
    return type.parameters.empty() ? 0 : type.parameters.front().shape[0];
  }

  void add(Group group) {
    const bool known = std::any_of(found_.groups.begin(), found_.groups.end(),
                                   [&](const Group& g) { return g.block == group.block && g.inputs == group.inputs; });
    if (!known) found_.groups.push_back(std::move(group));
  }

  static std::vector<int> distinct(std::vector<int> types) {
    std::sort(types.begin(), types.end());
    types.erase(std::unique(types.begin(), types.end()), types.end());
    return types;
  }

  const Model& model_;
  Candidates found_;
};

void append(std::vector<Rule>& rules, const std::vector<std::string>& keys, const char* strategy) {
  for (const auto& key : keys) rules.push_back({key, strategy, {}, {}});
}

bool is_right(Scenario& scenario, const Plan& plan, int tp) {
  scenario.plan.choice.plan = plan;
  const auto analysis = analyze(scenario.model(), request_for(scenario, tp, Pass::forward));
  return analysis && analysis->verdict == Verdict::right;
}

// Keeps the first variant that is right together with the rules so far.
bool add_right_variant(Scenario& scenario, Plan& plan, const std::vector<std::vector<Rule>>& variants, int tp) {
  for (const auto& variant : variants) {
    Plan extended = plan;
    extended.rules.insert(extended.rules.end(), variant.begin(), variant.end());
    if (!is_right(scenario, extended, tp)) continue;
    plan = std::move(extended);
    return true;
  }
  return false;
}

std::vector<std::vector<Rule>> variants_of(const Group& group) {
  std::vector<Rule> cut, gathered;
  append(cut, group.inputs, "colwise");
  append(cut, group.outputs, "rowwise");
  append(gathered, group.inputs, "colwise_gather_output");
  append(gathered, group.outputs, "rowwise_split_input");
  return {cut, gathered};
}

Draft drafted(Scenario& scenario, int tp) {
  Draft draft;
  const Candidates found = Collector(scenario.model()).run();
  scenario.plan.choice.kind = PlanKind::manual;
  for (const Group& group : found.groups)
    if (!add_right_variant(scenario, draft.plan, variants_of(group), tp)) draft.left_out.push_back(group.block);
  std::vector<Rule> ends;
  append(ends, found.embeddings, "embedding_rowwise");
  append(ends, found.heads, "colwise_gather_output");
  if (!ends.empty() && !add_right_variant(scenario, draft.plan, {ends}, tp)) {
    for (const Rule& rule : ends)
      if (!add_right_variant(scenario, draft.plan, {{rule}}, tp)) draft.left_out.push_back(rule.key);
  }
  return draft;
}

}  // namespace

Result<Draft> draft_plan(Scenario scenario, int tp) {
  scenario.plan = {};
  const auto shipped = effective_plan(scenario.model(), request_for(scenario, tp, Pass::forward));
  Draft draft;
  for (const auto& resolved : shipped.rules) draft.plan.rules.push_back(resolved.rule);
  draft.shipped = !draft.plan.rules.empty();
  if (!draft.shipped) draft = drafted(scenario, tp);
  if (draft.plan.rules.empty()) {
    return input_error("no plan with right numbers was found for " + scenario.model().model_type + " at TP " +
                       std::to_string(tp));
  }
  return draft;
}

}  // namespace tpsim::cli
