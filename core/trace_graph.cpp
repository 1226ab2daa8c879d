#include "core/trace_graph.h"

#include "core/operation_step.h"

namespace tpsim {
namespace {

const std::string kNoStrategy;

std::string layout_text(const Layout& layout) {
  switch (layout.content) {
    case Content::replicated: return layout.scale == 1 ? "Replicate" : "Replicate x " + std::to_string(layout.scale);
    case Content::sharded: return "Shard(" + std::to_string(layout.dim) + ")";
    case Content::partial: return "Partial(sum)";
    case Content::wrong: return "wrong";
  }
  return "";
}

}  // namespace

const TensorState* first_tensor(const ForwardValue& value) {
  if (value.is_tensor()) return &value.tensor;
  return value.items.empty() ? nullptr : first_tensor(value.items.front());
}

int TraceGraph::add_node(const std::string& name, const std::string& strategy, bool has_weights) {
  if (m_.trace == nullptr) return -1;
  m_.trace->graph.nodes.push_back({m_.module, name, strategy, has_weights});
  return static_cast<int>(m_.trace->graph.nodes.size()) - 1;
}

void TraceGraph::add_edge(const TensorState& tensor, int to) {
  if (m_.trace == nullptr || to < 0) return;
  const bool known = tensor.node >= 0 && tensor.node < static_cast<int>(m_.trace->graph.nodes.size());
  const int from = known ? tensor.node : input_node();
  m_.trace->graph.edges.push_back({from, to, tensor.local.at(0), layout_text(tensor.layout)});
}

int TraceGraph::input_node() {
  for (std::size_t i = 0; i < m_.trace->graph.nodes.size(); ++i)
    if (m_.trace->graph.nodes[i].name == "input") return static_cast<int>(i);
  m_.trace->graph.nodes.push_back({"", "input", ""});
  return static_cast<int>(m_.trace->graph.nodes.size()) - 1;
}

void TraceGraph::draw_leaf(const std::string& strategy, ModuleCall& call) {
  const ModuleType& type = *call.type;
  const int drawn = add_node(type.text.empty() ? type.class_name : type.text, strategy, !type.parameters.empty());
  for (const ForwardValue& v : call.positional)
    if (v.is_tensor()) add_edge(v.tensor, drawn);
  for (const auto& [name, v] : call.keyword)
    if (v.is_tensor()) add_edge(v.tensor, drawn);
  set_node(call.output, drawn);
  drawn_collectives_ = m_.trace == nullptr ? 0 : m_.trace->forward.size();
}

void TraceGraph::set_node(ForwardValue& value, int node) {
  if (value.is_tensor()) value.tensor.node = node;
  for (ForwardValue& item : value.items) set_node(item, node);
}

void TraceGraph::draw_collectives(ForwardValue& value, const std::vector<ForwardValue>& before) {
  if (m_.trace == nullptr) return;
  const TensorState* from = before.empty() ? nullptr : first_tensor(before.front());
  for (; drawn_collectives_ < m_.trace->forward.size(); ++drawn_collectives_) {
    const int drawn = add_node(to_string(m_.trace->forward[drawn_collectives_].op));
    if (from != nullptr) add_edge(*from, drawn);
    set_node(value, drawn);
    from = first_tensor(value);
  }
}

void TraceGraph::draw_operation(const Instruction& code, std::size_t operations_before,
                                const std::vector<ForwardValue>& slots, ForwardValue& value) {
  if (m_.trace == nullptr || m_.failed() || m_.trace->operations.size() == operations_before) return;
  if (code.op == Op::rope) return draw_rope(code, slots, value);
  const OperationKind kind = m_.trace->operations.back().kind;
  const bool own_weights = kind == OperationKind::gemm || kind == OperationKind::grouped_gemm;
  const int drawn = add_node(m_.trace->operations.back().name, kNoStrategy, own_weights);
  for (int slot : code.inputs)
    if (slot >= 0 && slots[static_cast<std::size_t>(slot)].is_tensor() &&
        slots[static_cast<std::size_t>(slot)].tensor.storage != kPersistentStorage)
      add_edge(slots[static_cast<std::size_t>(slot)].tensor, drawn);
  set_node(value, drawn);
}

void TraceGraph::draw_rope(const Instruction& code, const std::vector<ForwardValue>& slots, ForwardValue& value) {
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    const int drawn = add_node(m_.trace->operations.back().name);
    for (const std::size_t input : {i, std::size_t{2}, std::size_t{3}})
      add_edge(tensor_input(m_, code, slots, input), drawn);
    set_node(value.items[i], drawn);
  }
}

}  // namespace tpsim
