#include "core/extension_strategies.h"

#include <array>
#include <charconv>
#include <string>

#include "core/hook_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using StrategyKind::all_to_all_experts;
using StrategyKind::kv_replicate;
using StrategyKind::megatron_sequence_parallel;
using StrategyKind::vocab_parallel_padded;

constexpr int kSequence = 1;  // [batch, sequence, features]
constexpr int kMostBlocks = 64;
constexpr std::string_view kPackedPrefix = "packed_colwise_";

PlacedParameter cut_by(Machine& m, const ParameterToPlace& p, int dim, Partition partition) {
  PlacedParameter placed;
  placed.state = replicated(m, p.parameter->shape);
  std::vector<Shape> shapes;
  for (int r = 0; r < m.ranks(); ++r) shapes.push_back(p.parameter->shape.with(dim, partition.local_extent(r)));
  placed.state.local = RankShapes(std::move(shapes));
  placed.state.layout = Layout{Content::sharded, dim, m.partitions.intern(std::move(partition)), 1, -1};
  placed.placement = Shard{dim};
  return placed;
}

// Rank r holds head r * heads / ranks; several ranks share one where there are more ranks than heads.
Partition shared_heads(std::int64_t rows, std::int64_t heads, int ranks) {
  const std::int64_t width = rows / heads;
  Partition partition{rows, {}};
  for (int r = 0; r < ranks; ++r) {
    const std::int64_t head = r * heads / ranks;
    partition.ranks.push_back({{head * width, (head + 1) * width}});
  }
  return partition;
}

PlacedParameter place_kv(Machine& m, const ParameterToPlace& p, std::int64_t heads) {
  const std::int64_t rows = p.parameter->shape[0];
  const int ranks = m.ranks();
  if (heads <= 0 || rows % heads != 0 || (heads % ranks != 0 && ranks % heads != 0)) {
    PlacedParameter placed;
    placed.state = replicated(m, p.parameter->shape);
    placed.refused = Cause{};
    placed.refused->code = "TP102";
    placed.refused->message = "kv_replicate: " + std::to_string(heads) +
                              " key/value heads neither divide nor are divided by " + std::to_string(ranks) + " ranks";
    return placed;
  }
  return cut_by(m, p, 0, ranks > heads ? shared_heads(rows, heads, ranks) : chunked(rows, ranks));
}

PlacedParameter place_vocabulary(Machine& m, const ParameterToPlace& p) {
  const std::int64_t rows = p.parameter->shape[0];
  PlacedParameter placed = cut_by(m, p, 0, chunked(rows, m.ranks()));
  placed.padded_rows = (rows + m.ranks() - 1) / m.ranks();
  return placed;
}

bool is_norm(const ModuleCall& call) {
  return call.type->kind == ModuleKind::rms_norm || call.type->kind == ModuleKind::layer_norm;
}

void reduce_weight_gradients(Machine& m, ModuleCall& call, int group) {
  m.group = group;
  for (TensorState& p : call.parameters) {
    m.communicate(CollectiveOp::all_reduce, p, p.local.at(0).numel(), Machine::When::backward);
    note_gradient(m, CollectiveOp::all_reduce, p, 0, group);
  }
  m.group = 0;
}

void sequence_before(Machine& m, ModuleCall& call) {
  TensorState* x = hook::first_input(m, call, "no positional input");
  if (x == nullptr) return;
  hook::use_local_parameters(call);
  x->belief.reset();
  if (!is_norm(call)) return;
  const bool split = x->layout.content == Content::sharded && x->layout.dim == kSequence;
  if (split) return reduce_weight_gradients(m, call, 0);
  m.fail("TP108", "megatron_sequence_parallel takes shards of the sequence and gets " + to_string(x->local.at(0)) +
                      ", the whole: what feeds the first layer must cut it (embedding_rowwise or "
                      "megatron_sequence_parallel on the table)");
}

void sequence_after(Machine& m, ModuleCall& call) {
  TensorState* out = hook::output_tensor(m, call, "no tensor output");
  if (out == nullptr) return;
  if (!is_norm(call)) return scatter_sequence(m, call);
  *out = all_gather(m, *out, kSequence, true);
  note_backward(m, CollectiveOp::reduce_scatter, *out);
  out->sums_gradient = true;
  m.communicate(CollectiveOp::reduce_scatter, *out, out->local.at(0).numel(), Machine::When::backward);
}

void vocabulary_before(Machine& m, ModuleCall& call) {
  TensorState* x = hook::first_input(m, call, "no positional input");
  if (x == nullptr) return;
  x->belief.reset();
  hook::use_local_parameters(call);
  if (call.type->kind == ModuleKind::embedding)
    x->elements = x->elements == Elements::floating ? x->elements : Elements::masked_routing;
  else
    hook::reduce_gradient(m, *x);
}

void vocabulary_after(Machine& m, ModuleCall& call) {
  TensorState* out = hook::output_tensor(m, call, "no tensor output");
  if (out == nullptr) return;
  *out = call.type->kind == ModuleKind::embedding ? all_reduce(m, *out) : all_gather(m, *out, -1, true);
}

void kv_before(Machine& m, const Hook& hook, ModuleCall& call) {
  TensorState* x = hook::first_input(m, call, "no positional input");
  if (x == nullptr) return;
  x->belief.reset();
  hook::use_local_parameters(call);
  hook::reduce_gradient(m, *x);
  const std::int64_t heads = hook.model->kv_heads;
  if (heads > 0 && m.ranks() > heads) reduce_weight_gradients(m, call, m.ranks() / static_cast<int>(heads));
}

}  // namespace

bool is_extension_kind(StrategyKind kind) {
  return kind == megatron_sequence_parallel || kind == vocab_parallel_padded || kind == kv_replicate ||
         kind == all_to_all_experts;
}

const CustomStrategy* packed_strategy(std::string_view name) {
  static const std::array<CustomStrategy, kMostBlocks + 1> table = [] {
    std::array<CustomStrategy, kMostBlocks + 1> all;
    for (int n = 2; n <= kMostBlocks; ++n) {
      CustomStrategy& s = all[static_cast<std::size_t>(n)];
      s.name = std::string(kPackedPrefix) + std::to_string(n);
      s.weight_dim = -2;
      s.bias_dim = -1;
      s.blocks = n;
      s.output = StrategyLayout::shard_last;
      s.backward_input = CollectiveOp::all_reduce;
    }
    return all;
  }();
  if (!name.starts_with(kPackedPrefix)) return nullptr;
  const std::string_view digits = name.substr(kPackedPrefix.size());
  int blocks = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), blocks);
  const bool known =
      status == std::errc() && end == digits.data() + digits.size() && blocks >= 2 && blocks <= kMostBlocks;
  return known ? &table[static_cast<std::size_t>(blocks)] : nullptr;
}

PlacedParameter place_extension(Machine& m, const ParameterToPlace& p, StrategyKind kind, std::int64_t kv_heads) {
  if (kind == kv_replicate) return place_kv(m, p, kv_heads);
  if (kind == vocab_parallel_padded && p.parameter->shape.rank() == 2) return place_vocabulary(m, p);
  const bool row_split =
      kind == megatron_sequence_parallel && p.owner->kind == ModuleKind::linear && p.parameter->shape.rank() == 2;
  if (row_split) return cut_by(m, p, 1, chunked(p.parameter->shape[1], m.ranks()));
  PlacedParameter whole;
  whole.state = replicated(m, p.parameter->shape);
  return whole;
}

void extension_before(Machine& m, const Hook& hook, ModuleCall& call) {
  switch (hook.kind) {
    case megatron_sequence_parallel:
      if (call.type->kind == ModuleKind::linear) hook::hide_bias(call);
      return sequence_before(m, call);
    case vocab_parallel_padded: return vocabulary_before(m, call);
    case kv_replicate: return kv_before(m, hook, call);
    default: return hook::dispatch_before(m, hook, call);
  }
}

void extension_after(Machine& m, const Hook& hook, ModuleCall& call) {
  switch (hook.kind) {
    case megatron_sequence_parallel: return sequence_after(m, call);
    case vocab_parallel_padded: return vocabulary_after(m, call);
    case kv_replicate: return;
    default: return hook::dispatch_after(m, hook, call);
  }
}

void scatter_sequence(Machine& m, ModuleCall& call) {
  TensorState* out = hook::output_tensor(m, call, "no tensor output");
  if (out == nullptr) return;
  out->belief.reset();
  *out = out->layout.content == Content::partial ? reduce_scatter(m, *out, kSequence)
                                                 : local_chunk(m, *out, kSequence, false);
  if (m.failed()) return;
  hook::gather_gradient(m, *out);
  hook::add_hidden_bias(m, call, *out);
}

}  // namespace tpsim
