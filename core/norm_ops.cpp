// Normalisation over the last dimension.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/op_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::believed_dim;
using ops::broadcast;
using ops::is_last;
using ops::like;
using ops::mismatch;
using ops::one_kind;
using ops::text;

}  // namespace

namespace {

bool norm_shapes_fit(Machine& m, const TensorState& x, const TensorState& weight, bool fixed_shape, Shape& out,
                     int rank) {
  const Shape& xs = x.local.at(rank);
  const Shape& ws = weight.local.at(rank);
  if (fixed_shape) {
    const std::int64_t built = weight.ideal[-1];
    if (!(ws == weight.ideal)) {
      m.fail("TP108",
             "the norm's weight has " + to_string(ws) + " entries on rank " + text(rank) + ", its input is " +
                 text(built) + " wide",
             "Expected weight to be of same shape as normalized_shape, but got weight of shape [" + to_string(ws) +
                 "] and normalized_shape = [" + text(built) + "]");
      return false;
    }
    if (xs[-1] != built) {
      m.fail("TP108", "the norm expects " + text(built) + " features and gets " + text(xs[-1]),
             "Given normalized_shape=[" + text(built) + "], expected input with shape [*, " + text(built) + "]");
      return false;
    }
  }
  const auto shape = broadcast(xs, ws);
  if (!shape) {
    m.fail("TP108", mismatch(ws, xs));
    return false;
  }
  out = *shape;
  return true;
}

Layout normalised(Machine& m, const TensorState& x, const TensorState* weight, const TensorState* bias) {
  Layout layout = x.layout;
  if (layout.content == Content::wrong) return layout;
  if (layout.content == Content::sharded && is_last(x))
    return m.wrong("TP125", "the norm takes its statistics over one rank's part of the features only");
  if (layout.content == Content::partial)
    return m.wrong("TP106", "the norm is applied to partial sums that nothing has reduced");
  // A norm takes any common factor out again, but for its epsilon: that counts where the residual stream, which starts
  // as small as an embedding, is made smaller still.
  if (layout.scale < 1 && x.ideal.rank() == 3 && !m.prefix.empty())
    return m.wrong("TP107",
                   "the norm's epsilon weighs more against an input multiplied by " + std::to_string(layout.scale));
  layout.scale = 1;
  for (const TensorState* t : {weight, bias}) {
    if (t == nullptr || (t->layout.content == Content::replicated && t->layout.scale == 1)) continue;
    const int dim = t->layout.dim + x.ideal.rank() - t->ideal.rank();
    if (t->layout.content == Content::sharded && layout.content == Content::sharded && dim == layout.dim &&
        t->layout.partition == layout.partition)
      continue;
    return m.wrong("TP108", "the norm's parameters are split differently from its input");
  }
  return layout;
}

}  // namespace

namespace {

// The weight of a norm as a DTensor operation takes it: torch's LayerNorm wants it whole.
TensorState gathered(Machine& m, const TensorState& weight) {
  if (!weight.belief || believed_dim(*weight.belief) < 0) return weight;
  TensorState whole = all_gather(m, weight, believed_dim(*weight.belief), true);
  whole.belief = Belief{Replicate{}, weight.belief->global};
  return whole;
}

}  // namespace

TensorState normalise(Machine& m, const TensorState& x, const TensorState* weight, const TensorState* bias,
                      bool fixed_shape) {
  TensorState result = like(x);
  if (!one_kind(m, {&x, weight, bias}, "mul")) return result;
  if (weight == nullptr && x.belief && x.layout.content == Content::partial) {
    m.fail("TP106", "the norm takes a DTensor's partial sums twice, and its mask serves once", "AssertionError");
    return result;
  }
  const bool believed_cut = weight != nullptr && weight->belief && believed_dim(*weight->belief) >= 0;
  if (believed_cut && !fixed_shape) {
    const TensorState product = binary(m, Binary::mul, normalise(m, x, nullptr, nullptr, false), *weight);
    return bias == nullptr || m.failed() ? product : binary(m, Binary::add, product, *bias);
  }
  if (believed_cut) {
    const TensorState whole = gathered(m, *weight);
    const TensorState whole_bias = bias == nullptr ? TensorState{} : gathered(m, *bias);
    return m.failed() ? result : normalise(m, x, &whole, bias == nullptr ? nullptr : &whole_bias, true);
  }
  if (weight != nullptr) {
    const bool uniform = x.local.uniform() && weight->local.uniform();
    std::vector<Shape> shapes;
    for (int rank = 0; rank < (uniform ? 1 : m.ranks()); ++rank) {
      Shape shape;
      if (!norm_shapes_fit(m, x, *weight, fixed_shape, shape, rank)) return result;
      shapes.push_back(shape);
    }
    result.local = RankShapes(std::move(shapes));
  }
  result.layout = normalised(m, x, weight, bias);
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::norm;
  op.name = "norm";
  op.output_bytes = op.input_bytes = heaviest_bytes(result, m);
  op.flops = 5.0 * static_cast<double>(op.output_bytes) * 8 / element_bits(m.workload().activations);
  if (weight != nullptr) op.weight_bytes = heaviest_bytes(*weight, m);
  m.record(std::move(op));
  if (RecordedOp* noted = note(m, Primitive::norm, {&x, weight, bias}, {&result})) {
    noted->ints = m.recorder->numbers.ints;
    noted->number = m.recorder->numbers.number;
    noted->offset = m.recorder->numbers.offset;
  }
  return result;
}

}  // namespace tpsim
