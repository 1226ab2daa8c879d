#include "core/attention_ops.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/op_steps.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::most;
using ops::plain;
using ops::text;

const Layout* first_wrong(std::initializer_list<const TensorState*> tensors) {
  for (const TensorState* t : tensors)
    if (t != nullptr && t->layout.content == Content::wrong) return &t->layout;
  return nullptr;
}

}  // namespace

TensorState rope(Machine& m, const TensorState& x, const TensorState& cos, const TensorState& sin) {
  TensorState result = x;
  result.storage = -1;
  if (!plain(m, {&x, &cos, &sin}, "mul.Tensor")) return result;
  for (int r = 0; r < m.ranks(); ++r) {
    const Shape& xs = x.local.at(r);
    const Shape& cs = cos.local.at(r);
    if (cs[-2] != xs[-2] && cs[-2] != 1 && xs[-2] != 1) {
      m.fail("TP108", "positions for " + text(cs[-2]) + " tokens meet " + text(xs[-2]) + " tokens",
             "The size of tensor a (" + text(xs[-2]) + ") must match the size of tensor b (" + text(cs[-2]) +
                 ") at non-singleton dimension 2");
      return result;
    }
    if (cs[-1] > xs[-1] && xs[-1] != 1) {
      m.fail("TP108", "rotary columns " + text(cs[-1]) + " meet heads of " + text(xs[-1]));
      return result;
    }
  }
  if (const Layout* w = first_wrong({&x, &cos, &sin}))
    result.layout = *w;
  else if (x.layout.content == Content::sharded && x.layout.dim >= x.ideal.rank() - 2)
    result.layout = m.wrong("TP102", "the rotation needs whole heads and all positions on every rank");
  else if (cos.layout.content != Content::replicated || cos.layout.scale != 1)
    result.layout = m.wrong("TP107", "cosines and sines are not what the unsharded model has");
  Operation op;
  op.kind = OperationKind::rope;
  op.name = "rope";
  op.input_bytes = op.output_bytes = heaviest_bytes(result, m);
  op.flops = 6.0 * static_cast<double>(op.output_bytes) * 8 / element_bits(m.workload().activations);
  m.record(std::move(op));
  return result;
}

namespace {

// For each local query head of a rank the global key head that the repeated local keys put under it.
bool heads_meet(const Machine& m, const TensorState& q, const TensorState& kv, std::int64_t groups) {
  const std::int64_t per_key = kv.ideal[1] == 0 ? 0 : q.ideal[1] / kv.ideal[1];
  const auto list = [&](const TensorState& t, int rank) {
    std::vector<std::int64_t> heads;
    if (t.layout.content == Content::sharded) {
      for (const Range& range : m.partitions[t.layout.partition].ranks[static_cast<std::size_t>(rank)])
        for (std::int64_t h = range.begin; h < range.end; ++h) heads.push_back(h);
    } else {
      for (std::int64_t h = 0; h < t.ideal[1]; ++h) heads.push_back(h);
    }
    return heads;
  };
  for (int r = 0; r < m.ranks(); ++r) {
    const auto queries = list(q, r), keys = list(kv, r);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      const std::size_t under =
          keys.size() * static_cast<std::size_t>(groups) == 1 ? 0 : i / static_cast<std::size_t>(groups);
      if (under >= keys.size() || keys[under] != queries[i] / per_key) return false;
    }
  }
  return true;
}

// Nothing, or why the bias of the scores does not lie as the query heads do.
std::optional<Layout> misplaced_bias(Machine& m, const TensorState& q, const TensorState* bias) {
  if (bias == nullptr) return std::nullopt;
  const Layout& b = bias->layout;
  if (b.content == Content::partial)
    return m.wrong("TP106", "partial sums that nothing has reduced are added to attention scores");
  if (b.scale != 1) return m.wrong("TP107", "the bias of attention scores is multiplied by the number of ranks");
  const bool per_head = bias->ideal[1] > 1;
  const bool split = q.layout.content == Content::sharded;
  const bool alike =
      b.content == Content::sharded ? split && b.dim == 1 && b.partition == q.layout.partition : !(split && per_head);
  if (alike) return std::nullopt;
  return m.wrong("TP109", "the bias of the attention scores is not split as the query heads are");
}

Layout attended(Machine& m, const TensorState& q, const TensorState& k, const TensorState& v,
                const ScoreTensors& scores, std::int64_t groups) {
  const TensorState* sinks = scores.sinks;
  if (const Layout* w = first_wrong({&q, &k, &v, sinks, scores.bias})) return *w;
  for (const TensorState* t : {&q, &k, &v}) {
    if (t->layout.content == Content::partial)
      return m.wrong("TP106", "attention is computed from partial sums that nothing has reduced");
    if (t->layout.content == Content::sharded && t->layout.dim != 1)
      return m.wrong("TP102", "attention needs whole heads and all positions on every rank");
  }
  if (q.layout.scale * k.layout.scale != 1)
    return m.wrong("TP107", "attention scores are multiplied by the number of ranks");
  if (sinks != nullptr && (sinks->layout.content != q.layout.content ||
                           (q.layout.content == Content::sharded && sinks->layout.partition != q.layout.partition)))
    return m.wrong("TP108", "the sinks are not split as the query heads are");
  if (const auto misplaced = misplaced_bias(m, q, scores.bias)) return *misplaced;
  Layout layout;
  layout.scale = v.layout.scale;
  const bool split = q.layout.content == Content::sharded;
  const bool kv_split = k.layout.content == Content::sharded || v.layout.content == Content::sharded;
  if (!split && !kv_split) return layout;
  if (!heads_meet(m, q, k, groups) || !heads_meet(m, q, v, groups))
    return m.wrong("TP109", "query heads of a rank meet key or value heads of another group");
  if (!split) return m.wrong("TP109", "whole query heads meet split key and value heads");
  layout.content = Content::sharded;
  layout.dim = 2;
  layout.partition = q.layout.partition;
  return layout;
}

bool bias_fits(Machine& m, const TensorState* bias, std::int64_t heads, int rank) {
  const std::int64_t given = bias == nullptr ? 1 : bias->local.at(rank)[1];
  if (given == 1 || given == heads) return true;
  m.fail("TP109",
         "a bias for " + text(given) + " heads meets the attention scores of " + text(heads) + " heads on rank " +
             text(rank),
         "The size of tensor a (" + text(heads) + ") must match the size of tensor b (" + text(given) +
             ") at non-singleton dimension 1");
  return false;
}

bool head_counts_fit(Machine& m, const Shape& q, const Shape& k, const Shape& v, const ScoreTensors& scores,
                     std::int64_t groups, int rank) {
  const TensorState* sinks = scores.sinks;
  for (const Shape* s : {&k, &v}) {
    const std::int64_t repeated = (*s)[1] * groups;
    if (q[1] != repeated && q[1] != 1 && repeated != 1) {
      m.fail("TP109",
             text(q[1]) + " query heads meet " + text(repeated) + " (" + text((*s)[1]) +
                 " key/value heads, each repeated " + text(groups) + " times) on rank " + text(rank),
             "The size of tensor a (" + text(q[1]) + ") must match the size of tensor b (" + text(repeated) +
                 ") at non-singleton dimension 1");
      return false;
    }
    if (q[0] != (*s)[0]) {
      m.fail("TP108", "queries and keys of different batches");
      return false;
    }
  }
  if (q[-1] != k[-1]) {
    m.fail("TP108", "queries of width " + text(q[-1]) + " meet keys of width " + text(k[-1]));
    return false;
  }
  if (sinks != nullptr && sinks->local.at(rank)[-1] != std::max(q[1], k[1] * groups)) {
    m.fail("TP108",
           text(sinks->local.at(rank)[-1]) + " sinks meet " + text(q[1]) + " query heads on rank " + text(rank),
           "Sizes of tensors must match except in dimension 3");
    return false;
  }
  return bias_fits(m, scores.bias, std::max(q[1], k[1] * groups), rank);
}

void record_attention(Machine& m, const TensorState& q, const TensorState& k, const TensorState& v,
                      const TensorState& result, const AttentionNumbers& numbers) {
  Operation op;
  op.kind = OperationKind::attention;
  op.name = "attention";
  op.sequences = q.local.at(0)[0];
  op.heads = most(m, q.local, 1);
  op.kv_heads = most(m, k.local, 1);
  op.head_dim = q.ideal[-1];
  op.value_dim = v.ideal[-1];
  op.query_tokens = q.local.at(0)[2];
  const std::int64_t keys = m.workload().past + op.query_tokens;
  op.context = numbers.window > 0 ? std::min(keys, numbers.window) : keys;
  // Pairs of query and key that the causal mask and the window leave.
  double pairs = 0;
  const double full = static_cast<double>(std::min(op.context, keys));
  const double growing =
      std::max(0.0, std::min(static_cast<double>(op.query_tokens), full - static_cast<double>(m.workload().past)));
  pairs = growing * (static_cast<double>(m.workload().past) + (growing + 1) / 2) +
          (static_cast<double>(op.query_tokens) - growing) * full;
  op.flops = 2.0 * static_cast<double>(op.sequences) * static_cast<double>(op.heads) * pairs *
             static_cast<double>(op.head_dim + op.value_dim);
  op.input_bytes = heaviest_bytes(q, m) + heaviest_bytes(k, m) + heaviest_bytes(v, m);
  op.output_bytes = heaviest_bytes(result, m);
  if (m.trace != nullptr && !numbers.shares_cache) {
    const std::int64_t cached = numbers.window > 0 ? std::min(keys, numbers.window) : keys;
    const std::int64_t width = numbers.latent_cache_width > 0
                                   ? numbers.latent_cache_width
                                   : op.kv_heads * op.head_dim + most(m, v.local, 1) * op.value_dim;
    const std::int64_t per_position = storage_bytes(m.workload().kv_cache, Shape{width});
    if (numbers.keeps_state) {
      m.trace->cache_bytes +=
          op.sequences * storage_bytes(m.workload().kv_cache, Shape{op.kv_heads, op.head_dim, op.value_dim});
    } else {
      m.trace->cache_bytes += op.sequences * cached * per_position;
      m.trace->cache_bytes_per_position += per_position;
    }
  }
  m.record(std::move(op));
}

}  // namespace

namespace {

// A runtime with kv_replicate repeats by its own head counts, Transformers by the model's.
AttentionNumbers adapted(const Machine& m, const TensorState& q, const TensorState& k, AttentionNumbers numbers) {
  const bool split = q.layout.content == Content::sharded && k.layout.content == Content::sharded;
  if (!m.dialect().extensions || !split || q.local.at(0).rank() != 4) return numbers;
  const std::int64_t queries = q.local.at(0)[1], keys = k.local.at(0)[1];
  if (keys > 0 && queries % keys == 0) numbers.groups = queries / keys;
  return numbers;
}

}  // namespace

TensorState attention(Machine& m, const TensorState& q, const TensorState& k, const TensorState& v,
                      const ScoreTensors& scores, const AttentionNumbers& given) {
  const AttentionNumbers numbers = adapted(m, q, k, given);
  TensorState result;
  if (!plain(m, {&q, &k, &v, scores.sinks, scores.bias}, "bmm.default")) return result;
  std::vector<Shape> locals;
  const bool uniform = q.local.uniform() && k.local.uniform() && v.local.uniform();
  for (int r = 0; r < (uniform ? 1 : m.ranks()); ++r) {
    const Shape &qs = q.local.at(r), &ks = k.local.at(r), &vs = v.local.at(r);
    if (!head_counts_fit(m, qs, ks, vs, scores, numbers.groups, r)) return result;
    locals.push_back(Shape{qs[0], qs[2], std::max(qs[1], ks[1] * numbers.groups), vs[-1]});
  }
  result.local = RankShapes(std::move(locals));
  result.ideal = Shape{q.ideal[0], q.ideal[2], q.ideal[1], v.ideal[-1]};
  result.layout = attended(m, q, k, v, scores, numbers.groups);
  result = checked(m, std::move(result));
  record_attention(m, q, k, v, result, numbers);
  return result;
}

TensorState relative_bias(Machine& m, const TensorState& x) {
  TensorState result = x;
  result.storage = -1;
  if (!plain(m, {&x}, "gather.default")) return result;
  const auto spread = [&](Shape s) {
    s[-1] = s[-2] + m.workload().past;
    return s;
  };
  result.ideal = spread(x.ideal);
  result.local = x.local.map(spread);
  if (x.layout.content == Content::sharded && x.layout.dim >= x.ideal.rank() - 2)
    result.layout = m.wrong("TP108", "biases by distance need all positions and all distances on every rank");
  return checked(m, std::move(result));
}

std::pair<TensorState, TensorState> topk_route(Machine& m, const TensorState& scores, std::int64_t k) {
  TensorState weights = scores;
  weights.storage = -1;
  if (!plain(m, {&scores}, "topk.default")) return {weights, weights};
  for (int r = 0; r < m.ranks(); ++r)
    if (scores.local.at(r)[-1] < k) {
      m.fail("TP108",
             "rank " + text(r) + " has scores for " + text(scores.local.at(r)[-1]) + " experts, " + text(k) +
                 " are chosen",
             "selected index k out of range");
      return {weights, weights};
    }
  const auto chosen = [k](Shape s) {
    s[-1] = k;
    return s;
  };
  if (scores.layout.content == Content::partial ||
      (scores.layout.content == Content::sharded && scores.layout.dim == scores.ideal.rank() - 1))
    weights.layout = m.wrong("TP108", "experts are chosen from scores that are not complete on every rank");
  else if (scores.layout.content != Content::wrong && scores.layout.scale != 1)
    weights.layout = m.wrong("TP107", "routing scores are multiplied by the number of ranks");
  weights.ideal = chosen(scores.ideal);
  weights.local = scores.local.map(chosen);
  TensorState indices = weights;
  indices.elements = Elements::routing;
  Operation op;
  op.kind = OperationKind::routing;
  op.name = "topk";
  op.input_bytes = heaviest_bytes(scores, m);
  op.output_bytes = heaviest_bytes(weights, m) + heaviest_bytes(indices, m);
  m.record(std::move(op));
  return {weights, indices};
}

TensorState scatter_topk(Machine& m, const TensorState& weights, const TensorState& indices, const TensorState& like) {
  TensorState result = like;
  result.storage = -1;
  if (!plain(m, {&weights, &indices, &like}, "scatter.src")) return result;
  if (const Layout* w = first_wrong({&weights, &indices}))
    result.layout = *w;
  else
    result.layout = weights.layout;
  return checked(m, std::move(result));
}

namespace {

struct ExpertDims {
  int up_out, up_in, down_out, down_in;
};

// The halves (or interleaved columns) of the first product, as a partition of [0, I); none where the ranks hold no
// matching pairs.
std::optional<Partition> gated(const Partition& fused, bool interleaved, int ranks) {
  const std::int64_t inner = fused.extent / 2;
  if (interleaved) return divided(fused, 2);
  std::vector<Range> gate, up;
  for (int r = 0; r < ranks; ++r) {
    const std::int64_t local = fused.local_extent(r);
    const std::int64_t half = (local + 1) / 2;
    gate.push_back({0, half});
    up.push_back({half, local});
  }
  auto first = restricted(fused, gate, {0, inner});
  const auto second = restricted(fused, up, {inner, 2 * inner});
  if (!first || !second || !(*first == *second)) return std::nullopt;
  return first;
}

bool expert_shapes_fit(Machine& m, const TensorState& x, const ExpertTensors& t, const ExpertDims& d, int r) {
  const Shape &xs = x.local.at(r), &us = t.gate_up->local.at(r), &ds = t.down->local.at(r);
  if (xs[-1] != us[d.up_in]) {
    m.fail("TP108",
           "an input of " + text(xs[-1]) + " features enters experts for " + text(us[d.up_in]) + " on rank " + text(r),
           "contraction dimension of mat_a and mat_b must match");
    return false;
  }
  const std::int64_t parts = t.gated ? 2 : 1, inner = us[d.up_out] / parts;
  if (us[d.up_out] % parts != 0) {
    m.fail("TP103", text(us[d.up_out]) + " fused gate and up features on rank " + text(r) + " have no two halves");
    return false;
  }
  if (inner != ds[d.down_in]) {
    m.fail("TP108",
           "gate_up_proj gives " + text(inner) + " features on rank " + text(r) + ", down_proj takes " +
               text(ds[d.down_in]),
           "contraction dimension of mat_a and mat_b must match");
    return false;
  }
  if (us[0] != ds[0]) {
    m.fail("TP108", "gate_up_proj holds " + text(us[0]) + " experts on rank " + text(r) + ", down_proj " + text(ds[0]));
    return false;
  }
  if (t.gate_up_bias != nullptr && t.gate_up_bias->local.at(r)[-1] != us[d.up_out]) {
    m.fail("TP105",
           "gate_up_proj_bias has " + text(t.gate_up_bias->local.at(r)[-1]) + " entries, the product " +
               text(us[d.up_out]),
           "The size of tensor a must match the size of tensor b at non-singleton dimension 1");
    return false;
  }
  return true;
}

Layout down_bias_layout(Machine& m, const Layout& product, const TensorState* bias, bool per_expert) {
  if (bias == nullptr || product.content == Content::wrong || per_expert) return product;
  const bool shared = bias->layout.content == Content::partial ||
                      (bias->layout.content == Content::replicated && bias->layout.scale * m.ranks() == product.scale);
  if (product.content == Content::partial && !shared)
    return m.wrong("TP112", "every rank adds the experts' whole bias to its partial sum, so it counts " +
                                text(m.ranks()) + " times");
  if (product.content == Content::replicated && bias->layout.content != Content::replicated)
    return m.wrong("TP108", "the experts' bias is split and their weights are not");
  return product;
}

Layout expert_layout(Machine& m, const TensorState& x, const TensorState& indices, const TensorState& weights,
                     const ExpertTensors& t, const ExpertDims& d) {
  if (const Layout* w = first_wrong({&x, &indices, &weights, t.gate_up, t.down, t.gate_up_bias, t.down_bias}))
    return *w;
  if (x.layout.content != Content::replicated || weights.layout.content != Content::replicated)
    return m.wrong(x.layout.content == Content::partial ? "TP106" : "TP108",
                   "experts need the whole input on every rank");
  if (x.layout.scale != 1)
    return m.wrong("TP107", "experts get an input multiplied by " + std::to_string(x.layout.scale));
  Layout layout;
  layout.scale = weights.layout.scale;
  const Layout &up = t.gate_up->layout, &down = t.down->layout;
  const bool masked = indices.elements == Elements::masked_routing;
  const auto cut_at = [](const Layout& l, int dim) { return l.content == Content::sharded && l.dim == dim; };
  if (cut_at(up, 0) && cut_at(down, 0)) {
    if (!masked || up.partition != down.partition)
      return m.wrong("TP113", "every rank holds some experts, but nothing tells it which tokens are its own");
    layout.content = Content::partial;
    return down_bias_layout(m, layout, t.down_bias, true);
  }
  if (masked) return m.wrong("TP113", "routes are masked for split experts, but the experts are not split");
  if (up.content == Content::replicated && down.content == Content::replicated)
    return down_bias_layout(m, layout, t.down_bias, false);
  if (!cut_at(up, d.up_out) || !cut_at(down, d.down_in))
    return m.wrong("TP108", "gate_up_proj and down_proj of the experts are not split along the same features");
  const Partition& features = m.partitions[up.partition];
  const auto inner = t.gated ? gated(features, t.interleaved, m.ranks()) : std::optional(features);
  if (!inner || !(*inner == m.partitions[down.partition]))
    return m.wrong("TP105",
                   "gate_up_proj is fused [gate | up]; the ranks' shards do not hold matching gate and up features");
  if (t.gate_up_bias != nullptr && !(cut_at(t.gate_up_bias->layout, t.gate_up_bias->ideal.rank() - 1) &&
                                     t.gate_up_bias->layout.partition == up.partition))
    return m.wrong("TP105", "the bias of gate_up_proj is not cut as its weight is");
  layout.content = Content::partial;
  return down_bias_layout(m, layout, t.down_bias, false);
}

void record_experts(Machine& m, const TensorState& x, const TensorState& indices, const ExpertTensors& t,
                    const ExpertDims& d, const TensorState& result) {
  const std::int64_t all = t.gate_up->ideal[0];
  const std::int64_t held = most(m, t.gate_up->local, 0);
  const std::int64_t routed = x.local.at(0)[0] * indices.ideal[-1];
  const std::int64_t rows = held == all ? routed : (routed * held + all - 1) / all;
  for (const bool up : {true, false}) {
    const TensorState& w = up ? *t.gate_up : *t.down;
    Operation op;
    op.kind = OperationKind::grouped_gemm;
    op.name = up ? "experts_gate_up" : "experts_down";
    op.m = rows;
    op.n = most(m, w.local, up ? d.up_out : d.down_out);
    op.k = most(m, w.local, up ? d.up_in : d.down_in);
    op.experts = held;
    op.flops = 2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k);
    op.weight_bytes = storage_bytes(m.workload().weights, Shape{held, op.n, op.k});
    op.input_bytes = storage_bytes(m.workload().activations, Shape{op.m, op.k});
    op.output_bytes = up ? storage_bytes(m.workload().activations, Shape{op.m, op.n}) : heaviest_bytes(result, m);
    m.record(std::move(op));
  }
}

}  // namespace

TensorState experts(Machine& m, const TensorState& x, const TensorState& indices, const TensorState& weights,
                    const ExpertTensors& t) {
  TensorState result = x;
  result.storage = -1;
  result.belief.reset();
  if (!plain(m, {&x, &weights, t.gate_up, t.down, t.gate_up_bias, t.down_bias}, "index.Tensor")) return result;
  const ExpertDims d = t.transposed ? ExpertDims{2, 1, 2, 1} : ExpertDims{1, 2, 1, 2};
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    if (!expert_shapes_fit(m, x, t, d, r)) return result;
    locals.push_back(x.local.at(r).with(x.local.at(r).rank() - 1, t.down->local.at(r)[d.down_out]));
  }
  result.local = RankShapes(std::move(locals));
  result.ideal[-1] = t.down->ideal[d.down_out];
  result.layout = expert_layout(m, x, indices, weights, t, d);
  result = checked(m, std::move(result));
  record_experts(m, x, indices, t, d, result);
  return result;
}

}  // namespace tpsim
