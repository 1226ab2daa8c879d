#include "core/shard_list.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace tpsim {
namespace {

// Matrices of linear layers and experts are what quantised formats store; the head and everything else stay as
// activations are.
DType stored_type(const ModuleType& type, const ParameterSpec& parameter, bool head, const Workload& workload) {
  if (!is_quantised(workload.weights)) return workload.weights;
  const bool matrix =
      (type.kind == ModuleKind::linear && parameter.shape.rank() == 2 && !head) || parameter.shape.rank() == 3;
  return matrix ? workload.weights : workload.activations;
}

class ShardLister {
public:
  ShardLister(const Machine& m, const Model& model, const PlacedModel& placed, const AnalysisRequest& request)
      : m_(m), model_(model), placed_(placed), request_(request) {}

  std::vector<ShardSpec> run() {
    ShardSpec start;
    walk(placed_.root, start, 0);
    return std::move(shards_);
  }

private:
  void walk(int node_index, const ShardSpec& at, int depth) {
    const PlacedNode& node = placed_.node(node_index);
    const ModuleType& type = model_.type(node.type);
    for (std::size_t i = 0; i < type.parameters.size(); ++i) {
      ShardSpec spec = at;
      extend(spec.pattern, type.parameters[i].name);
      if (type.parameters[i].borrowed || is_tied_away(spec.pattern)) continue;
      add(std::move(spec), node, type, i, depth == 1);
    }
    if (loads_buffers_as_parameters()) add_buffers(type, at);
    for (std::size_t c = 0; c < type.children.size(); ++c) {
      ShardSpec next = at;
      extend(next.pattern, type.children[c].name);
      if (type.children[c].is_list)
        walk_list(node.children[c], next, depth + 1);
      else
        walk(node.children[c].nodes.front(), next, depth + 1);
    }
  }

  void walk_list(const PlacedChild& list, const ShardSpec& at, int depth) {
    std::vector<std::pair<int, std::vector<int>>> groups;
    for (std::size_t i = 0; i < list.nodes.size(); ++i) {
      const auto found =
          std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == list.nodes[i]; });
      if (found == groups.end())
        groups.emplace_back(list.nodes[i], std::vector<int>{static_cast<int>(i)});
      else
        found->second.push_back(static_cast<int>(i));
    }
    for (auto& [node, indices] : groups) {
      ShardSpec next = at;
      next.pattern += ".*";
      next.count *= static_cast<std::int64_t>(indices.size());
      next.indices.push_back(std::move(indices));
      walk(node, next, depth);
    }
  }

  static void extend(std::string& path, const std::string& name) {
    if (!path.empty()) path += '.';
    path += name;
  }

  bool is_tied_away(const std::string& name) const {
    return std::any_of(model_.ties.begin(), model_.ties.end(), [&](const auto& tie) { return tie.first == name; });
  }

  void add(ShardSpec spec, const PlacedNode& node, const ModuleType& type, std::size_t i, bool head) {
    const ParameterSpec& parameter = type.parameters[i];
    const PlacedParameter& placed = node.parameters[i];
    spec.shape = parameter.shape;
    spec.dtype = stored_type(type, parameter, head, request_.workload);
    spec.bytes = storage_bytes(spec.dtype, spec.shape);
    spec.rule = node.parameter_rules[i];
    if (spec.rule >= 0) spec.strategy = placed_.rules[static_cast<std::size_t>(spec.rule)].rule.strategy;
    spec.placement = placed.placement;
    if (placed.state.layout.content != Content::wrong) spec.factor = placed.state.layout.scale;
    const int ranks = std::max(request_.parallelism.tp, request_.parallelism.ep);
    for (int r = 0; r < ranks; ++r) spec.ranks.push_back(share(placed, r, spec.dtype));
    shards_.push_back(std::move(spec));
  }

  // Up to 4.57 whatever a rank of several loads from disk is set as a Parameter, buffers too.
  bool loads_buffers_as_parameters() const {
    return m_.dialect().below(5, 0) && m_.ranks() > 1 && request_.plan.kind != PlanKind::none;
  }

  void add_buffers(const ModuleType& type, const ShardSpec& at) {
    for (const ParameterSpec& buffer : type.buffers) {
      ShardSpec spec = at;
      extend(spec.pattern, buffer.name);
      spec.shape = buffer.shape;
      spec.dtype = is_quantised(request_.workload.weights) ? request_.workload.activations : request_.workload.weights;
      spec.bytes = storage_bytes(spec.dtype, spec.shape);
      spec.ranks.assign(static_cast<std::size_t>(m_.ranks()), RankShard{spec.shape, {}, spec.bytes});
      shards_.push_back(std::move(spec));
    }
  }

  RankShard share(const PlacedParameter& placed, int rank, DType dtype) const {
    RankShard share;
    const Layout& layout = placed.state.layout;
    if (placed.over_experts) {
      const int r = rank % static_cast<int>(placed.over_experts->ranks.size());
      share.shape = placed.state.ideal.with(layout.dim, placed.over_experts->local_extent(r));
      share.ranges = placed.over_experts->ranks[static_cast<std::size_t>(r)];
    } else {
      const int r = rank % m_.ranks();
      share.shape = placed.state.local.at(r);
      if (placed.padded_rows) share.shape[0] = *placed.padded_rows;
      if (layout.content == Content::sharded)
        share.ranges = m_.partitions[layout.partition].ranks[static_cast<std::size_t>(r)];
    }
    share.bytes = storage_bytes(dtype, share.shape);
    return share;
  }

  const Machine& m_;
  const Model& model_;
  const PlacedModel& placed_;
  const AnalysisRequest& request_;
  std::vector<ShardSpec> shards_;
};

}  // namespace

std::vector<ShardSpec> list_shards(const Machine& m, const Model& model, const PlacedModel& placed,
                                   const AnalysisRequest& request) {
  return ShardLister(m, model, placed, request).run();
}

}  // namespace tpsim
