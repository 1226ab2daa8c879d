#include "core/recurrent_ops.h"

#include <string>
#include <utility>

#include "core/op_steps.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::plain;
using ops::text;

bool cut_at(const Layout& layout, int dim) { return layout.content == Content::sharded && layout.dim == dim; }

// A cache that does not grow with the sequence.
void keep_state(Machine& m, const Shape& state) {
  if (m.trace != nullptr) m.trace->cache_bytes += storage_bytes(m.workload().kv_cache, state);
}

double elements(const Machine& m, const TensorState& x) {
  return static_cast<double>(heaviest_bytes(x, m)) * 8 / element_bits(m.workload().activations);
}

// Short convolutions.

bool conv_shapes_fit(Machine& m, const Shape& x, const Shape& weight, const Shape* bias, std::int64_t groups,
                     int rank) {
  const std::string of = "on rank " + text(rank);
  if (weight[0] < groups || weight[0] % groups != 0) {
    m.fail("TP108",
           "a convolution of " + text(groups) + " separate channels has weights for " + text(weight[0]) + " " + of,
           "Given groups=" + text(groups) + ", expected weight to be at least " + text(groups) +
               " at dimension 0, but got weight of size [" + text(weight[0]) + ", 1, " + text(weight[-1]) +
               "] instead");
    return false;
  }
  if (x[1] != groups) {
    m.fail("TP108", text(x[1]) + " channels enter a convolution of " + text(groups) + " " + of,
           "expected input to have " + text(groups) + " channels, but got " + text(x[1]) + " channels instead");
    return false;
  }
  if (bias != nullptr && (*bias)[0] != weight[0]) {
    m.fail("TP108", "a convolution of " + text(weight[0]) + " channels has " + text((*bias)[0]) + " biases " + of,
           "expected bias to be 1-dimensional with " + text(weight[0]) + " elements");
    return false;
  }
  return true;
}

Layout convolved(Machine& m, const TensorState& x, const TensorState& weight, const TensorState* bias) {
  for (const TensorState* t : {&x, &weight, bias})
    if (t != nullptr && t->layout.content == Content::wrong) return t->layout;
  const Layout &lx = x.layout, &lw = weight.layout;
  if (lw.content == Content::partial || (bias != nullptr && bias->layout.content == Content::partial))
    return m.wrong("TP106", "the weight holds partial sums");
  if (lx.content == Content::partial && bias != nullptr)
    return m.wrong("TP112",
                   "every rank adds the whole bias to its partial sum, so it counts " + text(m.ranks()) + " times");
  if (cut_at(lx, 2)) return m.wrong("TP108", "the convolution needs the whole sequence on every rank");
  const Layout channels = cut_at(lx, 1) ? lx : Layout{};
  const auto lies_as_channels = [&](const TensorState& t) {
    return t.layout.content == channels.content &&
           (!cut_at(channels, 1) || (cut_at(t.layout, 0) && t.layout.partition == channels.partition));
  };
  if (!lies_as_channels(weight) || (bias != nullptr && !lies_as_channels(*bias)))
    return m.wrong("TP108", "the convolution's parameters are not split as the channels are");
  Layout layout = lx;
  layout.scale = lx.scale * lw.scale;
  if (bias != nullptr && bias->layout.scale != layout.scale)
    return m.wrong("TP107", "product and bias are scaled differently");
  return layout;
}

}  // namespace

TensorState causal_conv(Machine& m, const TensorState& x, const TensorState& weight, const TensorState* bias,
                        std::int64_t groups) {
  TensorState result = x;
  result.storage = -1;
  if (!plain(m, {&x, &weight, bias}, "convolution.default")) return result;
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    const Shape &xs = x.local.at(r), &ws = weight.local.at(r);
    const Shape* bs = bias == nullptr ? nullptr : &bias->local.at(r);
    if (!conv_shapes_fit(m, xs, ws, bs, groups == 0 ? xs[1] : groups, r)) return result;
    locals.push_back(xs.with(1, ws[0]));
  }
  result.local = RankShapes(std::move(locals));
  result.layout = convolved(m, x, weight, bias);
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::elementwise;
  op.name = "causal_conv";
  op.input_bytes = heaviest_bytes(x, m);
  op.output_bytes = heaviest_bytes(result, m);
  op.weight_bytes = storage_bytes(m.workload().weights, weight.local.at(0));
  op.flops = 2.0 * static_cast<double>(weight.ideal[-1]) * elements(m, result);
  m.record(std::move(op));
  keep_state(m, Shape{x.local.at(0)[0], x.local.at(0)[1], weight.ideal[-1]});
  return result;
}

// Recurrences.

namespace {

bool is_grouped(const ScanKind& kind, std::size_t input) {
  const int i = static_cast<int>(input);
  return i >= kind.first_grouped && i < kind.first_grouped + kind.grouped;
}

bool lanes_fit(Machine& m, const ScanKind& kind, const std::vector<const TensorState*>& inputs, int rank) {
  const std::int64_t n = inputs.front()->local.at(rank)[2];
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const std::int64_t own = inputs[i]->local.at(rank)[kind.lanes[i]];
    if (own == n || own == 1 || (is_grouped(kind, i) && own > 0 && n % own == 0)) continue;
    m.fail("TP109",
           "a recurrence over " + text(n) + " heads gets one of its inputs for " + text(own) + " on rank " + text(rank),
           "The size of tensor a (" + text(n) + ") must match the size of tensor b (" + text(own) +
               ") at non-singleton dimension 2");
    return false;
  }
  return true;
}

// What is needed of every input before lanes are looked at.
const char* misfit(const TensorState& x, int lane_dim, const char*& code) {
  const Layout& l = x.layout;
  code = "TP106";
  if (l.content == Content::partial) return "a recurrence runs over partial sums that nothing has reduced";
  code = "TP107";
  if (l.scale != 1) return "a recurrence runs over values multiplied by the number of ranks";
  code = "TP108";
  if (l.content == Content::sharded && l.dim != lane_dim && (lane_dim != 2 || l.dim != 0))
    return "a recurrence needs whole heads and all positions on every rank";
  return nullptr;
}

// The partition of the lanes that an input's own lanes serve; none where every rank has all of them.
int served(Machine& m, const TensorState& x, int lane_dim, std::int64_t lanes) {
  if (!cut_at(x.layout, lane_dim)) return -1;
  return m.partitions.intern(multiplied(m.partitions[x.layout.partition], lanes / x.ideal[lane_dim]));
}

Layout scanned(Machine& m, const ScanKind& kind, const std::vector<const TensorState*>& inputs) {
  for (const TensorState* t : inputs)
    if (t->layout.content == Content::wrong) return t->layout;
  const TensorState& x = *inputs.front();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const char* code = "";
    if (const char* why = misfit(*inputs[i], kind.lanes[i], code)) return m.wrong(code, why);
    const bool shared = inputs[i]->ideal[kind.lanes[i]] == 1;
    if (!shared && served(m, *inputs[i], kind.lanes[i], x.ideal[2]) != served(m, x, 2, x.ideal[2]))
      return m.wrong("TP109", "heads of a recurrence meet inputs of other heads");
  }
  return x.layout;
}

Shape state_shape(const ScanKind& kind, const std::vector<const TensorState*>& inputs) {
  const Shape& x = inputs.front()->local.at(0);
  Shape state{x[0], x[2]};
  if (x.rank() == 4) state.push_back(x[3]);
  state.push_back(kind.state_input < 0 ? kind.state_numbers
                                       : inputs[static_cast<std::size_t>(kind.state_input)]->local.at(0)[-1]);
  return state;
}

}  // namespace

TensorState scan(Machine& m, const ScanKind& kind, const std::vector<const TensorState*>& inputs) {
  TensorState result = *inputs.front();
  result.storage = -1;
  if (!plain(m, inputs, "mul.Tensor")) return result;
  for (int r = 0; r < m.ranks(); ++r)
    if (!lanes_fit(m, kind, inputs, r)) return result;
  result.layout = scanned(m, kind, inputs);
  result = checked(m, std::move(result));
  const Shape state = state_shape(kind, inputs);
  Operation op;
  op.kind = OperationKind::elementwise;
  op.name = kind.name;
  for (const TensorState* t : inputs) op.input_bytes += heaviest_bytes(*t, m);
  op.output_bytes = heaviest_bytes(result, m);
  op.flops = kind.flops_per_state * static_cast<double>(state.numel()) * static_cast<double>(result.local.at(0)[1]);
  m.record(std::move(op));
  keep_state(m, state);
  return result;
}

TensorState previous(Machine& m, const TensorState& x) {
  if (!plain(m, {&x}, "constant_pad_nd.default")) return x;
  TensorState result = linear_map(m, x, 1, "previous");
  if (cut_at(x.layout, 1)) result.layout = m.wrong("TP108", "the shift needs all positions on every rank");
  keep_state(m, x.local.at(0).with(1, 1));
  return checked(m, std::move(result));
}

}  // namespace tpsim
