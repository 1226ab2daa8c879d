#include "core/tensor_ops.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tpsim {
namespace {

std::string text(std::int64_t n) { return std::to_string(n); }

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result;
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const std::int64_t ea = ia < 0 ? 1 : a[ia];
    const std::int64_t eb = ib < 0 ? 1 : b[ib];
    if (ea != eb && ea != 1 && eb != 1) return std::nullopt;
    result.push_back(ea == 1 ? eb : ea);
  }
  return result;
}

std::string mismatch(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  for (int i = rank - 1; i >= 0; --i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    if (ia < 0 || ib < 0 || a[ia] == b[ib] || a[ia] == 1 || b[ib] == 1) continue;
    return "The size of tensor a (" + text(a[ia]) + ") must match the size of tensor b (" + text(b[ib]) +
           ") at non-singleton dimension " + text(i);
  }
  return "shapes do not broadcast";
}

// f(rank) -> Shape on every rank, or once where both inputs look alike everywhere.
template <class F>
RankShapes per_rank(const Machine& m, bool uniform, F f) {
  if (uniform) return RankShapes(f(0));
  std::vector<Shape> shapes;
  for (int rank = 0; rank < m.ranks(); ++rank) shapes.push_back(f(rank));
  return RankShapes(std::move(shapes));
}

bool one_kind(Machine& m, std::initializer_list<const TensorState*> tensors, const char* name) {
  bool plain = false, distributed = false;
  for (const TensorState* t : tensors) {
    if (t == nullptr) continue;
    (t->belief ? distributed : plain) = true;
  }
  const bool strided = std::any_of(tensors.begin(), tensors.end(), [](const TensorState* t) {
    return t != nullptr && t->belief && std::holds_alternative<StridedShard>(t->belief->placement);
  });
  if (distributed && !plain && strided) {
    m.fail("TP120", std::string(name) + " meets a packed shard, which DTensor operations cannot read",
           "ValueError: _StridedShard is unable to be interpreted");
    return false;
  }
  if (!(plain && distributed)) return true;
  m.fail("TP120", std::string(name) + " meets a split parameter (DTensor) and a plain tensor: the module has no wrapper",
         std::string("aten.") + name + " got mixed torch.Tensor and DTensor");
  return false;
}

TensorState like(const TensorState& x) {
  TensorState result = x;
  result.storage = -1;
  return result;
}

bool is_last(const TensorState& x) { return x.layout.dim == x.ideal.rank() - 1; }

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
  op.flops = flops_per_element * static_cast<double>(op.output_bytes) * 8 / element_bits(element_type(result, m.workload()));
  m.record(std::move(op));
}

std::int64_t most(const Machine& m, const RankShapes& shapes, int dim) {
  std::int64_t largest = shapes.at(0)[dim];
  for (int r = 1; r < m.ranks() && !shapes.uniform(); ++r) largest = std::max(largest, shapes.at(r)[dim]);
  return largest;
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
    result.layout = m.wrong("TP107", std::string(name) + " is applied to values multiplied by " + std::to_string(x.layout.scale));
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
  layout.scale = sum ? a.layout.scale : op == Binary::mul ? a.layout.scale * b.layout.scale : a.layout.scale / b.layout.scale;
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
    if (sum ? both : (!both && (ca == Content::replicated || cb == Content::replicated) &&
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

// The dimension of a tensor that the library believes to be cut; -1 = none.
int believed_dim(const Belief& belief) {
  const Shard* s = std::get_if<Shard>(&belief.placement);
  return s == nullptr ? -1 : s->dim < 0 ? s->dim + belief.global.rank() : s->dim;
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

namespace {

bool norm_shapes_fit(Machine& m, const TensorState& x, const TensorState& weight, bool fixed_shape, Shape& out, int rank) {
  const Shape& xs = x.local.at(rank);
  const Shape& ws = weight.local.at(rank);
  if (fixed_shape) {
    const std::int64_t built = weight.ideal[-1];
    if (!(ws == weight.ideal)) {
      m.fail("TP108", "the norm's weight has " + to_string(ws) + " entries on rank " + text(rank) + ", its input is " +
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
  // A norm takes any common factor out again, but for its epsilon: that counts where the residual stream, which starts as
  // small as an embedding, is made smaller still.
  if (layout.scale < 1 && x.ideal.rank() == 3 && !m.prefix.empty())
    return m.wrong("TP107", "the norm's epsilon weighs more against an input multiplied by " + std::to_string(layout.scale));
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

TensorState normalise(Machine& m, const TensorState& x, const TensorState* weight, const TensorState* bias, bool fixed_shape) {
  TensorState result = like(x);
  if (!one_kind(m, {&x, weight, bias}, "mul")) return result;
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
  return result;
}

namespace {

std::int64_t rows_of(const Shape& s) {
  std::int64_t rows = 1;
  for (int i = 0; i + 1 < s.rank(); ++i) rows *= s[i];
  return rows;
}

// Where the product of x and a weight with these layouts lies. `out`, `in`: the weight's dimensions.
Layout product_layout(Machine& m, const TensorState& x, const TensorState& w, int out, int in) {
  const Layout& lx = x.layout;
  const Layout& lw = w.layout;
  if (lx.content == Content::wrong) return lx;
  if (lw.content == Content::wrong) return lw;
  Layout layout;
  layout.scale = lx.scale * lw.scale;
  const bool x_last = lx.content == Content::sharded && is_last(x);
  if (lw.content == Content::sharded && lw.dim == in) {
    if (x_last && lx.partition == lw.partition) {
      layout.content = Content::partial;
      return layout;
    }
    return m.wrong(x_last ? "TP105" : "TP108", "the input is not split as the weight's input features are");
  }
  if (x_last) return m.wrong("TP108", "a split input enters a weight that needs all features");
  if (lw.content == Content::sharded && lw.dim == out) {
    if (lx.content != Content::replicated)
      return m.wrong(lx.content == Content::partial ? "TP106" : "TP108",
                     "a column-split weight needs the whole input and gets " +
                         std::string(lx.content == Content::partial ? "partial sums" : "a split one"));
    layout.content = Content::sharded;
    layout.dim = x.ideal.rank() - 1;
    layout.partition = lw.partition;
    return layout;
  }
  if (lw.content == Content::replicated) {
    layout.content = lx.content;
    layout.dim = lx.dim;
    layout.partition = lx.partition;
    return layout;
  }
  return m.wrong("TP106", "the weight holds partial sums");
}

Layout with_bias(Machine& m, const TensorState& product, const TensorState& bias) {
  const Layout& layout = product.layout;
  if (layout.content == Content::wrong) return layout;
  if (bias.layout.content == Content::wrong) return bias.layout;
  const Layout& lb = bias.layout;
  if (layout.content == Content::partial) {
    if (lb.content == Content::partial || (lb.content == Content::replicated && lb.scale * m.ranks() == layout.scale)) return layout;
    return m.wrong("TP112", "every rank adds the whole bias to its partial sum, so it counts " + text(m.ranks()) + " times");
  }
  if (lb.scale != layout.scale) return m.wrong("TP107", "product and bias are scaled differently");
  if (layout.content == Content::sharded && layout.dim == product.ideal.rank() - 1) {
    if (lb.content == Content::sharded && lb.partition == layout.partition) return layout;
    return m.wrong("TP105", "the bias is cut differently from the weight's output features");
  }
  if (lb.content == Content::replicated) return layout;
  return m.wrong("TP108", "the bias is split and the output is not");
}

void record_linear(Machine& m, const TensorState& x, const TensorState& w, const TensorState& result, int out, int in) {
  Operation op;
  op.kind = OperationKind::gemm;
  op.name = "linear";
  for (int r = 0; r < (x.local.uniform() ? 1 : m.ranks()); ++r) op.m = std::max(op.m, rows_of(x.local.at(r)));
  op.n = most(m, w.local, out);
  op.k = most(m, w.local, in);
  op.flops = 2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k);
  op.weight_bytes = storage_bytes(m.workload().weights, Shape{op.n, op.k});
  op.input_bytes = heaviest_bytes(x, m);
  op.output_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
}

// Placement of a DTensor product, as torch chooses it where no redistribution is needed.
std::optional<Belief> product_belief(Machine& m, const TensorState& x, const TensorState& w, int out, int in) {
  if (!x.belief) return std::nullopt;
  const Shape& gx = x.belief->global;
  const Shape& gw = w.belief->global;
  if (gx[-1] != gw[in]) {
    m.fail("TP108", "the input is " + text(gx[-1]) + " wide for the library, the weight needs " + text(gw[in]),
           "a and b must have same reduction dim, but got [" + text(rows_of(gx)) + ", " + text(gx[-1]) + "] X [" + text(gw[in]) +
               ", " + text(gw[out]) + "]");
    return std::nullopt;
  }
  Belief belief{Replicate{}, gx.with(gx.rank() - 1, gw[out])};
  const auto dim_of = [](const Belief& b) {
    const Shard* s = std::get_if<Shard>(&b.placement);
    return s == nullptr ? -1 : s->dim < 0 ? s->dim + b.global.rank() : s->dim;
  };
  const int dx = dim_of(*x.belief), dw = dim_of(*w.belief);
  if (dx >= 0 && dx < gx.rank() - 1 && gx.rank() > 2 && dx > 0 && gx[0] > 1) {
    m.fail("TP108", "the library cannot flatten an input that is split along dimension " + text(dx),
           "Attempted to flatten multiple dimensions, with dimension " + text(dx) + " being sharded");
    return std::nullopt;
  }
  if (dw == in)
    belief.placement = Partial{};
  else if (dw == out)
    belief.placement = Shard{gx.rank() - 1};
  else if (dx >= 0)
    belief.placement = x.belief->placement;
  return belief;
}

// DTensor's own move before a product whose weight is cut along its input features: the replicated input is cut to match.
TensorState fitted_input(Machine& m, const TensorState& x, const TensorState& w, int in) {
  if (!x.belief || !w.belief || !std::holds_alternative<Replicate>(x.belief->placement)) return x;
  const Shard* s = std::get_if<Shard>(&w.belief->placement);
  if (s == nullptr || (s->dim < 0 ? s->dim + w.ideal.rank() : s->dim) != in) return x;
  TensorState cut = local_chunk(m, x, x.ideal.rank() - 1, false);
  cut.belief = Belief{Shard{x.ideal.rank() - 1}, x.belief->global};
  return cut;
}

}  // namespace

TensorState linear(Machine& m, const TensorState& given, const TensorState& w, const TensorState* bias, bool transposed) {
  TensorState result;
  if (!one_kind(m, {&given, &w, bias}, "mm.default")) return result;
  const int out = transposed ? 1 : 0, in = 1 - out;
  const TensorState x = fitted_input(m, given, w, in);
  result.ideal = x.ideal.with(x.ideal.rank() - 1, w.ideal[out]);
  result.belief = product_belief(m, x, w, out, in);
  if (m.failed()) return result;
  const bool uniform = x.local.uniform() && w.local.uniform() && (bias == nullptr || bias->local.uniform());
  for (int r = 0; r < (uniform ? 1 : m.ranks()); ++r) {
    const Shape& xs = x.local.at(r);
    const Shape& ws = w.local.at(r);
    if (xs[-1] != ws[in]) {
      m.fail("TP108", "an input of " + text(xs[-1]) + " features enters a weight for " + text(ws[in]) + " on rank " + text(r),
             "mat1 and mat2 shapes cannot be multiplied (" + text(rows_of(xs)) + "x" + text(xs[-1]) + " and " + text(ws[in]) + "x" +
                 text(ws[out]) + ")");
      return result;
    }
    if (bias != nullptr && bias->local.at(r)[-1] != ws[out] && bias->local.at(r)[-1] != 1) {
      m.fail("TP108", "a bias of " + text(bias->local.at(r)[-1]) + " entries meets " + text(ws[out]) + " outputs on rank " + text(r),
             "The expanded size of the tensor (" + text(ws[out]) + ") must match the existing size (" +
                 text(bias->local.at(r)[-1]) + ")");
      return result;
    }
  }
  result.local =
      per_rank(m, uniform, [&](int r) { return x.local.at(r).with(x.local.at(r).rank() - 1, w.local.at(r)[out]); });
  result.layout = product_layout(m, x, w, out, in);
  if (bias != nullptr) result.layout = with_bias(m, result, *bias);
  result = checked(m, std::move(result));
  record_linear(m, x, w, result, out, in);
  return result;
}

TensorState embedding(Machine& m, const TensorState& ids, const TensorState& table) {
  TensorState result;
  if (!one_kind(m, {&ids, &table}, "embedding.default")) return result;
  if (ids.elements == Elements::floating) {
    m.fail("TP121", "the embedding gets numbers instead of token ids",
           "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got FloatTensor");
    return result;
  }
  result.ideal = ids.ideal;
  result.ideal.push_back(table.ideal[1]);
  const bool masked = ids.elements == Elements::masked_routing || (table.belief.has_value());
  for (int r = 0; r < m.ranks() && !masked; ++r)
    if (table.local.at(r)[0] < table.ideal[0]) {
      m.fail("TP123", "rank " + text(r) + " holds " + text(table.local.at(r)[0]) + " of " + text(table.ideal[0]) +
                          " rows of the table and looks up every id in them",
             "IndexError: index out of range in self");
      return result;
    }
  const bool uniform = ids.local.uniform() && table.local.uniform();
  result.local = per_rank(m, uniform, [&](int r) {
    Shape s = ids.local.at(r);
    s.push_back(table.local.at(r)[1]);
    return s;
  });
  const Layout& lt = table.layout;
  if (ids.layout.content == Content::wrong)
    result.layout = ids.layout;
  else if (lt.content == Content::sharded && ids.layout.content == Content::replicated) {
    if (lt.dim == 0)
      result.layout.content = Content::partial;
    else
      result.layout = Layout{Content::sharded, result.ideal.rank() - 1, lt.partition, lt.scale, -1};
  } else if (lt.content == Content::replicated)
    result.layout = ids.layout;
  else
    result.layout = lt.content == Content::wrong ? lt : m.wrong("TP108", "the table and the ids are both split");
  if (table.belief) {
    const Shard* s = std::get_if<Shard>(&table.belief->placement);
    Belief belief{ids.belief->placement, ids.belief->global};
    belief.global.push_back(table.ideal[1]);
    if (s != nullptr) belief.placement = (s->dim == 0 || s->dim == -2) ? Placement(Partial{}) : Placement(Shard{result.ideal.rank() - 1});
    result.belief = belief;
  }
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::embedding;
  op.name = "embedding";
  op.output_bytes = op.input_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
  return result;
}

}  // namespace tpsim
