// Elementwise operations, and what every operation shares.
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
using ops::like;
using ops::mismatch;
using ops::one_kind;
using ops::per_rank;
using ops::text;

// A layout that survives only where nothing happens along `dim`.
Layout untouched(Machine& m, const TensorState& x, int dim, const char* name) {
  if (x.layout.content != Content::sharded || x.layout.dim != dim) return x.layout;
  return m.wrong("TP108", std::string(name) + " runs over a dimension that is split over the ranks");
}

void record_elementwise(Machine& m, const char* name, const TensorState& result, int inputs, double flops_per_element) {
  Operation op;
  op.kind = OperationKind::elementwise;
  op.name = name;
  op.output_bytes = heaviest_bytes(result, m);
  op.input_bytes = inputs * op.output_bytes;
  op.flops =
      flops_per_element * static_cast<double>(op.output_bytes) * 8 / element_bits(element_type(result, m.workload()));
  m.record(std::move(op));
}

}  // namespace

TensorState checked(Machine& m, TensorState state) {
  if (m.failed() || state.layout.content == Content::wrong) return state;
  const bool cut = state.layout.content == Content::sharded;
  for (int rank = 0; rank < m.ranks(); ++rank) {
    Shape expected = state.ideal;
    if (cut) expected[state.layout.dim] = m.partitions[state.layout.partition].local_extent(rank);
    if (!(state.local.at(rank) == expected)) {
      state.layout = m.wrong("TP108", "rank " + text(rank) + " holds " + to_string(state.local.at(rank)) + " where " +
                                          to_string(expected) + " is needed");
      return state;
    }
    if (!cut && state.local.uniform()) break;
  }
  return state;
}

TensorState replicated(Machine&, const Shape& shape, Elements elements) {
  TensorState state;
  state.ideal = shape;
  state.local = RankShapes(shape);
  state.elements = elements;
  return state;
}

TensorState linear_map(Machine& m, const TensorState& x, double factor, const char* name) {
  TensorState result = like(x);
  result.layout.scale *= factor;
  result.elements = Elements::floating;
  record_elementwise(m, name, result, 1, 1);
  return result;
}

TensorState nonlinear(Machine& m, const TensorState& x, const char* name, int flops_per_element) {
  TensorState result = like(x);
  if (x.layout.content == Content::partial)
    result.layout = m.wrong("TP106", std::string(name) + " is applied to partial sums that nothing has reduced");
  else if (x.layout.content != Content::wrong && x.layout.scale != 1)
    result.layout =
        m.wrong("TP107", std::string(name) + " is applied to values multiplied by " + std::to_string(x.layout.scale));
  record_elementwise(m, name, result, 1, flops_per_element);
  return result;
}

TensorState cast(Machine&, const TensorState& x) { return x; }

namespace {

// Where both operands are cut, or one is and the other is whole along that dimension.
Layout joined(Machine& m, Binary op, const TensorState& a, const TensorState& b, int rank) {
  const auto dim_in_result = [&](const TensorState& t) { return t.layout.dim + rank - t.ideal.rank(); };
  const auto extent_at = [&](const TensorState& t, int dim) {
    const int own = dim - (rank - t.ideal.rank());
    return own < 0 ? std::int64_t{1} : t.ideal[own];
  };
  const bool sum = op == Binary::add || op == Binary::sub;
  const Content ca = a.layout.content, cb = b.layout.content;
  if (ca == Content::wrong) return a.layout;
  if (cb == Content::wrong) return b.layout;
  Layout layout;
  layout.scale = sum                 ? a.layout.scale
                 : op == Binary::mul ? a.layout.scale * b.layout.scale
                                     : a.layout.scale / b.layout.scale;
  // A whole tensor divided by the ranks is a summand like any partial sum.
  const auto summands = [&](const TensorState& part, const TensorState& whole) {
    return part.layout.content == Content::partial && whole.layout.content == Content::replicated &&
           whole.layout.scale * m.ranks() == part.layout.scale;
  };
  if (sum && m.ranks() > 1 && (summands(a, b) || summands(b, a))) {
    layout.content = Content::partial;
    layout.scale = ca == Content::partial ? a.layout.scale : b.layout.scale;
    return layout;
  }
  if (sum && a.layout.scale != b.layout.scale)
    return m.wrong("TP107", "a sum of values of which one side is multiplied by the number of ranks");
  if (ca == Content::replicated && cb == Content::replicated) return layout;
  if (ca == Content::partial || cb == Content::partial) {
    const bool both = ca == cb;
    if (sum ? both
            : (!both && (ca == Content::replicated || cb == Content::replicated) &&
               (op == Binary::mul || ca == Content::partial))) {
      layout.content = Content::partial;
      return layout;
    }
    return m.wrong("TP106", "partial sums that nothing has reduced meet complete values");
  }
  const TensorState& cut = ca == Content::sharded ? a : b;
  const TensorState& other = ca == Content::sharded ? b : a;
  layout.content = Content::sharded;
  layout.dim = dim_in_result(cut);
  layout.partition = cut.layout.partition;
  if (other.layout.content == Content::sharded) {
    if (dim_in_result(other) == layout.dim && other.layout.partition == layout.partition) return layout;
    return m.wrong("TP108", "two tensors that are split differently over the ranks are combined");
  }
  if (extent_at(other, layout.dim) == 1) return layout;
  return m.wrong("TP108", "a split tensor is combined with a whole one");
}

std::optional<Belief> joined_belief(Machine& m, const TensorState& a, const TensorState& b) {
  if (!a.belief) return std::nullopt;
  const auto global = broadcast(a.belief->global, b.belief->global);
  if (!global) {
    m.fail("TP108", mismatch(a.belief->global, b.belief->global));
    return std::nullopt;
  }
  const bool a_whole = std::holds_alternative<Replicate>(a.belief->placement);
  const Belief& leader = a_whole ? *b.belief : *a.belief;
  const int dim = believed_dim(leader);
  const Placement placement =
      dim < 0 ? leader.placement : Placement(Shard{dim + global->rank() - leader.global.rank()});
  return Belief{placement, *global};
}

// DTensor's own move before an elementwise operation: a whole tensor is cut as the one that it meets.
TensorState cut_like(Machine& m, const TensorState& x, const TensorState& other) {
  if (!x.belief || !other.belief || !std::holds_alternative<Replicate>(x.belief->placement)) return x;
  const int dim = believed_dim(*other.belief) + x.belief->global.rank() - other.belief->global.rank();
  if (believed_dim(*other.belief) < 0 || dim < 0 || x.belief->global[dim] == 1) return x;
  TensorState cut = local_chunk(m, x, dim, false);
  cut.belief = Belief{Shard{dim}, x.belief->global};
  return cut;
}

}  // namespace

TensorState binary(Machine& m, Binary op, const TensorState& left, const TensorState& right) {
  static constexpr const char* kNames[] = {"add", "sub", "mul", "div"};
  const char* name = kNames[static_cast<int>(op)];
  TensorState result;
  if (!one_kind(m, {&left, &right}, name)) return result;
  const TensorState a = cut_like(m, left, right), b = cut_like(m, right, left);
  const auto ideal = broadcast(a.ideal, b.ideal);
  if (!ideal) {
    m.fail("TP000", "the description combines " + to_string(a.ideal) + " with " + to_string(b.ideal));
    return result;
  }
  result.ideal = *ideal;
  const bool uniform = a.local.uniform() && b.local.uniform();
  for (int rank = 0; rank < (uniform ? 1 : m.ranks()); ++rank)
    if (!broadcast(a.local.at(rank), b.local.at(rank))) {
      m.fail("TP108", mismatch(a.local.at(rank), b.local.at(rank)));
      return result;
    }
  result.local = per_rank(m, uniform, [&](int r) { return *broadcast(a.local.at(r), b.local.at(r)); });
  result.belief = joined_belief(m, a, b);
  result.layout = joined(m, op, a, b, ideal->rank());
  result = checked(m, std::move(result));
  record_elementwise(m, name, result, 2, 1);
  static constexpr Op kOps[] = {Op::add, Op::sub, Op::mul, Op::div};
  note(m, kOps[static_cast<int>(op)], {&a, &b}, {&result});
  return result;
}

TensorState softmax(Machine& m, const TensorState& x) {
  TensorState result = like(x);
  const Layout over_last = untouched(m, x, x.ideal.rank() - 1, "softmax");
  if (over_last.content == Content::partial)
    result.layout = m.wrong("TP106", "softmax is applied to partial sums that nothing has reduced");
  else if (over_last.content != Content::wrong && over_last.scale != 1)
    result.layout = m.wrong("TP107", "softmax is applied to values multiplied by " + std::to_string(over_last.scale));
  else
    result.layout = over_last;
  record_elementwise(m, "softmax", result, 1, 5);
  return result;
}

}  // namespace tpsim
