#include "core/placed_model.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/extension_strategies.h"
#include "core/strategy_hooks.h"

namespace tpsim {
namespace {

// `pattern` with `*` for runs of digits, against a concrete name.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t i = 0;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] == '*') {
      const std::size_t start = i;
      while (i < name.size() && name[i] >= '0' && name[i] <= '9') ++i;
      if (i == start) return false;
    } else if (i < name.size() && name[i] == pattern[p]) {
      ++i;
    } else {
      return false;
    }
  }
  return i == name.size();
}

class Placer {
public:
  Placer(Machine& m, const Model& model, const EffectivePlan& plan, const AnalysisRequest& request)
      : m_(m),
        model_(model),
        request_(request),
        tensor_(plan.rules, request.dialect),
        expert_(plan.expert_rules, request.dialect) {
    placed_.rules = plan.rules;
    placed_.expert_rules_begin = static_cast<int>(plan.rules.size());
    placed_.rules.insert(placed_.rules.end(), plan.expert_rules.begin(), plan.expert_rules.end());
    for (const ResolvedRule& rule : placed_.rules)
      strategies_.push_back(strategy_of(rule, request.dialect, request.custom));
    parallel_ = request.parallelism.tp > 1 || request.parallelism.ep > 1;
  }

  PlacedModel run() {
    std::string path;
    placed_.root = build(model_.root, path);
    share_tied();
    placed_.distributes_everything = replicates_by_default();
    return std::move(placed_);
  }

private:
  struct Located {
    int node = -1, index = -1;
  };

  int build(int type_index, std::string& path) {
    const ModuleType& type = model_.type(type_index);
    PlacedNode node;
    node.type = type_index;
    node.rule = module_rule(path, type);
    if (node.rule >= 0) check_module(node.rule, type, path);
    check_buffers(type, path);
    const std::size_t length = path.size();
    for (const ParameterSpec& parameter : type.parameters) {
      extend(path, parameter.name);
      place_one(node, type, parameter, path);
      path.resize(length);
    }
    for (const Child& child : type.children) {
      extend(path, child.name);
      node.children.push_back(child.is_list ? build_list(child, path)
                                            : PlacedChild{false, {build(child.types.front(), path)}});
      path.resize(length);
    }
    for (const PlacedChild& child : node.children)
      for (int n : child.nodes) node.has_split_parameters |= placed_.node(n).has_split_parameters;
    return intern(std::move(node), path);
  }

  PlacedChild build_list(const Child& child, std::string& path) {
    PlacedChild list{true, {}};
    const bool sensitive = tensor_.index_sensitive() || expert_.index_sensitive();
    std::unordered_map<int, int> built;
    const std::size_t length = path.size();
    for (std::size_t i = 0; i < child.types.size(); ++i) {
      const auto known = built.find(child.types[i]);
      if (!sensitive && known != built.end()) {
        list.nodes.push_back(known->second);
        continue;
      }
      path += "." + std::to_string(i);
      list.nodes.push_back(build(child.types[i], path));
      path.resize(length);
      built.emplace(child.types[i], list.nodes.back());
    }
    return list;
  }

  static void extend(std::string& path, const std::string& name) {
    if (!path.empty()) path += '.';
    path += name;
  }

  int module_rule(const std::string& path, const ModuleType& type) const {
    if (!parallel_) return -1;
    const std::string first = first_loaded(type, path);
    if (hooks_while_loading() && first.empty() && !has_loading_child(type, path)) return -1;
    const int expert = expert_.module_rule(path, first);
    return expert >= 0 ? expert + placed_.expert_rules_begin : tensor_.module_rule(path, first);
  }

  bool hooks_while_loading() const { return request_.dialect.at_least(4, 50) && request_.dialect.below(4, 54); }

  // Of the parameters that have values of their own on disk, the first in alphabetical order.
  std::string first_loaded(const ModuleType& type, const std::string& path) const {
    std::string first;
    for (const ParameterSpec& p : type.parameters)
      if ((first.empty() || p.name < first) && !is_tied_away(path + "." + p.name)) first = p.name;
    return first;
  }

  bool has_loading_child(const ModuleType& type, const std::string& path) const {
    return std::any_of(type.children.begin(), type.children.end(), [&](const Child& child) {
      if (child.is_list) return false;
      std::string below = path;
      extend(below, child.name);
      return !first_loaded(model_.type(child.types.front()), below).empty();
    });
  }

  bool is_tied_away(const std::string& parameter) const {
    return std::any_of(model_.ties.begin(), model_.ties.end(), [&](const auto& tie) { return tie.first == parameter; });
  }

  // The default style of 4.52 and 4.53; 4.52.1 had withdrawn it.
  bool replicates_by_default() const {
    const Dialect& dialect = request_.dialect;
    return parallel_ && request_.plan.kind != PlanKind::none && dialect.below(4, 54) &&
           find_strategy("replicate", dialect);
  }

  // 4.54 - 4.57 slice what no rule hits, and a scalar cannot be sliced.
  void check_buffers(const ModuleType& type, const std::string& path) {
    const bool slices = request_.dialect.at_least(4, 54) && request_.dialect.below(5, 0);
    if (!slices || !parallel_ || request_.plan.kind == PlanKind::none) return;
    for (const ParameterSpec& buffer : type.buffers) {
      std::string name = path;
      extend(name, buffer.name);
      if (buffer.shape.rank() > 0 || parameter_rule(name) >= 0) continue;
      Cause cause;
      cause.code = "TP105";
      cause.message = "this version cannot load the scalar " + buffer.name + " on several ranks";
      cause.library = "IndexError: slice() cannot be applied to a 0-dim tensor.";
      add_fault(std::move(cause), -1, name, true);
    }
  }

  int parameter_rule(const std::string& path) const {
    if (!parallel_) return -1;
    const int expert = expert_.parameter_rule(path);
    return expert >= 0 ? expert + placed_.expert_rules_begin : tensor_.parameter_rule(path);
  }

  void check_module(int rule, const ModuleType& type, const std::string& path) {
    const RuleStrategy& strategy = strategies_[static_cast<std::size_t>(rule)];
    if (!strategy.kind) return;
    Hook hook;
    hook.kind = *strategy.kind;
    hook.custom = strategy.custom;
    auto cause = refused_by_module(hook, type, request_.dialect, m_.ranks());
    if (cause) add_fault(std::move(*cause), rule, path, false);
  }

  void place_one(PlacedNode& node, const ModuleType& type, const ParameterSpec& parameter, const std::string& path) {
    const int rule = parameter_rule(path);
    node.parameter_rules.push_back(rule);
    ParameterToPlace what{&type, &parameter};
    if (parameter.shape.rank() > 1) describe_pieces(what, path);
    RuleStrategy unplanned;
    if (replicates_by_default() && !is_tied_away(path)) {
      unplanned.kind = StrategyKind::replicate;
      node.replicated_by_default = true;
    }
    const RuleStrategy& strategy = rule < 0 ? unplanned : strategies_[static_cast<std::size_t>(rule)];
    PlacedParameter placed = rule >= placed_.expert_rules_begin && rule >= 0 ? place_on_expert_mesh(what, strategy)
                                                                             : place_on_tensor_mesh(what, strategy);
    if (placed.refused) add_fault(*placed.refused, rule, path, true);
    node.has_split_parameters |=
        placed.state.layout.content == Content::sharded || placed.state.layout.content == Content::wrong;
    if (placed.state.layout.content == Content::wrong) locate_cause(placed.state.layout.cause, rule, path);
    node.parameters.push_back(std::move(placed));
  }

  PlacedParameter place_on_tensor_mesh(const ParameterToPlace& what, const RuleStrategy& strategy) {
    if (strategy.kind && is_extension_kind(*strategy.kind))
      return place_extension(m_, what, *strategy.kind, model_.kv_heads);
    return place_parameter(m_, what, strategy.kind, strategy.custom);
  }

  // The ranks of one tensor group are the first ranks of the expert group; each holds whole experts.
  PlacedParameter place_on_expert_mesh(const ParameterToPlace& what, const RuleStrategy& strategy) {
    if (strategy.kind != StrategyKind::grouped_gemm || request_.parallelism.ep == request_.parallelism.tp)
      return place_parameter(m_, what, strategy.kind, strategy.custom);
    Machine experts(request_.parallelism.ep, request_.dialect, request_.workload);
    PlacedParameter placed = place_parameter(experts, what, strategy.kind, strategy.custom);
    if (placed.refused) return placed;
    Partition mine = experts.partitions[placed.state.layout.partition];
    placed.over_experts = mine;
    mine.ranks.resize(static_cast<std::size_t>(m_.ranks()));
    std::vector<Shape> shapes;
    for (int r = 0; r < m_.ranks(); ++r) shapes.push_back(placed.state.ideal.with(0, mine.local_extent(r)));
    placed.state.local = RankShapes(std::move(shapes));
    placed.state.layout.partition = m_.partitions.intern(std::move(mine));
    return placed;
  }

  void describe_pieces(ParameterToPlace& what, const std::string& path) const {
    for (const CheckpointRule& rule : model_.checkpoint) {
      if (!matches_pattern(rule.module, path)) continue;
      what.stacked = rule.how == CheckpointConversion::stack || rule.how == CheckpointConversion::stack_concat;
      if (rule.how == CheckpointConversion::stack_concat) what.pieces = static_cast<int>(rule.disk.size());
      what.fused_parts = rule.parts;
      what.turned = rule.how == CheckpointConversion::transpose;
      if (rule.how == CheckpointConversion::concat)
        what.joined = static_cast<int>(rule.disk.size()), what.joined_dim = rule.dim;
      // Cut before it is sorted, an interleaved tensor leaves each rank matching parts of gate and up.
      if (rule.how == CheckpointConversion::interleave) what.stacked = true, what.pieces = 2;
      return;
    }
  }

  void locate_cause(int index, int rule, const std::string& path) { m_.place_cause(index, path, rule); }

  void add_fault(Cause cause, int rule, const std::string& path, bool while_loading) {
    cause.rule = rule;
    cause.module = path;
    placed_.faults.push_back({std::move(cause), while_loading});
  }

  // A module with a tied parameter keeps a node of its own: its weight lives elsewhere.
  int intern(PlacedNode node, const std::string& path) {
    const std::vector<std::pair<std::string, int>> tied = tied_parameters(path, node);
    for (std::size_t i = 0; tied.empty() && i < placed_.nodes.size(); ++i)
      if (!alone_[i] && alike(placed_.nodes[i], node)) return static_cast<int>(i);
    const int index = static_cast<int>(placed_.nodes.size());
    for (const auto& [name, parameter] : tied) located_[name] = {index, parameter};
    placed_.nodes.push_back(std::move(node));
    alone_.push_back(!tied.empty());
    return index;
  }

  static bool alike(const PlacedNode& a, const PlacedNode& b) {
    return a.type == b.type && a.rule == b.rule && a.parameter_rules == b.parameter_rules &&
           std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                      [](const PlacedChild& x, const PlacedChild& y) { return x.nodes == y.nodes; });
  }

  std::vector<std::pair<std::string, int>> tied_parameters(const std::string& path, const PlacedNode& node) const {
    std::vector<std::pair<std::string, int>> found;
    const auto& parameters = model_.type(node.type).parameters;
    for (const auto& tie : model_.ties)
      for (const std::string* name : {&tie.first, &tie.second})
        for (std::size_t i = 0; i < parameters.size(); ++i)
          if (name->size() == path.size() + 1 + parameters[i].name.size() && name->starts_with(path) &&
              name->ends_with(parameters[i].name))
            found.emplace_back(*name, static_cast<int>(i));
    return found;
  }

  void share_tied() {
    for (const auto& [first, second] : model_.ties) {
      const auto a = located_.find(first), b = located_.find(second);
      if (a == located_.end() || b == located_.end()) continue;
      placed_.nodes[static_cast<std::size_t>(a->second.node)].parameters[static_cast<std::size_t>(a->second.index)] =
          placed_.node(b->second.node).parameters[static_cast<std::size_t>(b->second.index)];
    }
  }

  Machine& m_;
  const Model& model_;
  const AnalysisRequest& request_;
  Matcher tensor_, expert_;
  std::vector<RuleStrategy> strategies_;
  bool parallel_ = false;
  PlacedModel placed_;
  std::vector<char> alone_;  // per node
  std::unordered_map<std::string, Located> located_;
};

}  // namespace

RuleStrategy strategy_of(const ResolvedRule& rule, const Dialect& dialect, const StrategySet& custom) {
  for (const CustomStrategy& s : custom)
    if (s.name == rule.rule.strategy) return {StrategyKind::custom, &s};
  if (const CustomStrategy* packed = packed_strategy(rule.rule.strategy)) return {StrategyKind::custom, packed};
  return {find_strategy(rule.rule.strategy, dialect), nullptr};
}

PlacedModel place_model(Machine& m, const Model& model, const EffectivePlan& plan, const AnalysisRequest& request) {
  return Placer(m, model, plan, request).run();
}

}  // namespace tpsim
