#include "sim/training/saved_tensors.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/dtype.h"

namespace tpsim {
namespace {

constexpr std::int64_t kStatisticBytes = 4;  // fp32: log of the softmax's sum
// Unfused attention keeps the softmax; with dropout also its mask and the product of both (5 bytes in 16-bit types).
constexpr std::int64_t kMaskBytes = 1;

enum class Role { outside, product, norm, attention, activation, multiply, softmax, gather, other };

struct Node {
  Role role = Role::other;
  std::int64_t bytes = 0;  // of its output on rank 0; pieces of a product's output are read apart
  std::vector<int> consumers, inputs;
};

bool is_product(OperationKind kind) { return kind == OperationKind::gemm || kind == OperationKind::grouped_gemm; }

Role role_of(const Operation& op) {
  if (is_product(op.kind)) return Role::product;
  switch (op.kind) {
    case OperationKind::norm: return Role::norm;
    case OperationKind::attention: return Role::attention;
    case OperationKind::softmax: return Role::softmax;
    case OperationKind::elementwise:
      return op.name == "mul" ? Role::multiply : op.name == "add" ? Role::other : Role::activation;
    case OperationKind::gemm:
    case OperationKind::grouped_gemm:
    case OperationKind::rope:
    case OperationKind::embedding:
    case OperationKind::routing:
    case OperationKind::copy: break;
  }
  return Role::other;
}

// The operation that a node draws: by name, or the module's first one (leaves are drawn under their class name; an
// addition of a bias may follow).
const Operation* operation_of(const GraphNode& node, const Trace& trace) {
  const Operation* by_module = nullptr;
  for (const Operation& op : trace.operations) {
    if (op.module != node.module) continue;
    if (op.name == node.name) return &op;
    if (by_module == nullptr) by_module = &op;
  }
  return by_module;
}

Node node_of(const GraphNode& node, const Trace& trace) {
  if (node.name == "input") return {Role::outside, 0, {}, {}};
  for (CollectiveOp op : {CollectiveOp::all_reduce, CollectiveOp::reduce_scatter, CollectiveOp::all_to_all,
                          CollectiveOp::broadcast, CollectiveOp::send})
    if (node.name == to_string(op)) return {};
  if (node.name == to_string(CollectiveOp::all_gather)) return {Role::gather, 0, {}, {}};
  const Operation* op = operation_of(node, trace);
  if (op == nullptr) return {};
  return {role_of(*op), is_product(op->kind) ? op->output_bytes : 0, {}, {}};
}

std::vector<Node> nodes_of(const Trace& trace, const Workload& workload) {
  std::vector<Node> nodes;
  for (const GraphNode& node : trace.graph.nodes) nodes.push_back(node_of(node, trace));
  for (const GraphEdge& edge : trace.graph.edges) {
    Node& from = nodes[static_cast<std::size_t>(edge.from)];
    from.bytes = std::max(from.bytes, edge.shape.numel() * element_bits(workload.activations) / 8);
    from.consumers.push_back(edge.to);
    nodes[static_cast<std::size_t>(edge.to)].inputs.push_back(edge.from);
  }
  return nodes;
}

bool feeds_only_a_product_of_two(const Node& node, const std::vector<Node>& nodes) {
  return !node.consumers.empty() && std::all_of(node.consumers.begin(), node.consumers.end(), [&](int c) {
    return nodes[static_cast<std::size_t>(c)].role == Role::multiply;
  });
}

bool keeps_inputs(Role role) {
  return role == Role::product || role == Role::norm || role == Role::attention || role == Role::activation ||
         role == Role::multiply;
}

bool consumer_keeps(const Node& node, const std::vector<Node>& nodes) {
  return std::any_of(node.consumers.begin(), node.consumers.end(), [&](int c) {
    const Node& consumer = nodes[static_cast<std::size_t>(c)];
    return consumer.role == Role::gather ? consumer_keeps(consumer, nodes) : keeps_inputs(consumer.role);
  });
}

bool is_kept(const Node& node, const std::vector<Node>& nodes, const SavedTensorOptions& options) {
  if (node.role == Role::gather) return false;
  if (node.role == Role::attention || node.role == Role::softmax) return true;
  if (options.fused_activation && node.role == Role::activation && feeds_only_a_product_of_two(node, nodes))
    return false;
  return consumer_keeps(node, nodes);
}

std::int64_t scores_bytes(const Operation& op, const Workload& workload, const SavedTensorOptions& options) {
  const std::int64_t rows = op.sequences * op.heads * op.query_tokens;
  if (options.flash_attention) return rows * kStatisticBytes;
  if (options.recompute != Recompute::none) return 0;
  const std::int64_t element = element_bits(workload.activations) / 8;
  return rows * op.context * (options.dropout ? 2 * element + kMaskBytes : element);
}

// A layer ends in an addition to the residual stream after each of its two blocks; the dropout lies before it.
std::int64_t mask_bytes(const Trace& trace, const Workload& workload) {
  std::int64_t bytes = 0;
  for (const Operation& op : trace.operations)
    if (op.name == "add") bytes += op.output_bytes * 8 / element_bits(workload.activations) * kMaskBytes;
  return bytes;
}

// The residual stream that a segment reads: the largest tensor from outside it.
std::int64_t input_bytes(const std::vector<Node>& nodes) {
  for (const Node& node : nodes)
    if (node.role == Role::outside) return node.bytes;
  return 0;
}

}  // namespace

const char* to_string(Recompute recompute) {
  switch (recompute) {
    case Recompute::none: return "none";
    case Recompute::selective: return "selective";
    case Recompute::full: return "full";
  }
  return "";
}

std::int64_t saved_bytes(const Trace& trace, const Workload& workload, const SavedTensorOptions& options) {
  const std::vector<Node> nodes = nodes_of(trace, workload);
  if (options.recompute == Recompute::full) return input_bytes(nodes);
  std::int64_t bytes = 0;
  for (const Node& node : nodes)
    if (is_kept(node, nodes, options)) bytes += node.bytes;
  for (const Operation& op : trace.operations)
    if (op.kind == OperationKind::attention) bytes += scores_bytes(op, workload, options);
  return bytes + (options.dropout ? mask_bytes(trace, workload) : 0);
}

}  // namespace tpsim
