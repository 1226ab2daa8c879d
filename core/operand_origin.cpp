#include "core/operand_origin.h"

#include <algorithm>

#include "core/module_path.h"

namespace tpsim {
namespace {

void add_once(std::vector<std::string>& names, std::string name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
}

bool is_collective(const std::string& name) {
  for (const CollectiveOp op :
       {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter, CollectiveOp::all_to_all})
    if (name == to_string(op)) return true;
  return false;
}

// Breadth first against the edges; a module with weights ends the way.
void walk(const Machine& m, const LayerGraph& graph, int start, Operand& operand) {
  std::vector<int> queue{start};
  std::vector<char> seen(graph.nodes.size(), 0);
  seen[static_cast<std::size_t>(start)] = 1;
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const GraphNode& node = graph.nodes[static_cast<std::size_t>(queue[i])];
    if (node.has_weights) {
      add_once(operand.modules, full_path(m.prefix, node.module));
      continue;
    }
    if (is_collective(node.name)) add_once(operand.collectives, full_path(m.prefix, node.module));
    operand.from_outside |= node.name == "input";
    for (const GraphEdge& edge : graph.edges) {
      if (edge.to != queue[i] || seen[static_cast<std::size_t>(edge.from)] != 0) continue;
      seen[static_cast<std::size_t>(edge.from)] = 1;
      queue.push_back(edge.from);
    }
  }
}

}  // namespace

Operand describe_operand(const Machine& m, const TensorState& tensor) {
  Operand operand;
  operand.content = tensor.layout.content;
  operand.dim = tensor.layout.dim;
  operand.scale = tensor.layout.scale;
  operand.ideal = tensor.ideal;
  operand.local = tensor.local.at(0);
  const bool known =
      m.trace != nullptr && tensor.node >= 0 && tensor.node < static_cast<int>(m.trace->graph.nodes.size());
  if (known)
    walk(m, m.trace->graph, tensor.node, operand);
  else
    operand.from_outside = true;
  if (operand.from_outside && operand.modules.empty()) operand.modules = m.outside;
  return operand;
}

}  // namespace tpsim
