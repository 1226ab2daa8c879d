#include "core/grouped_ops.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/model.h"
#include "core/op_steps.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::plain;
using ops::text;

// f(shape, like's shape) -> shape on every rank; a shape that does not hold x's values is a fault.
template <class F>
TensorState reshaped(Machine& m, const TensorState& x, const TensorState& like, bool same_count, F f) {
  TensorState result = x;
  result.ideal = f(x.ideal, like.ideal);
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    locals.push_back(f(x.local.at(r), like.local.at(r)));
    if (same_count && locals.back().numel() != x.local.at(r).numel()) {
      m.fail("TP108",
             to_string(x.local.at(r)) + " values on rank " + text(r) + " do not fill " + to_string(locals.back()),
             "shape is invalid for input of size " + text(x.local.at(r).numel()));
      return result;
    }
  }
  result.local = RankShapes(std::move(locals));
  return result;
}

Layout moved(Machine& m, const TensorState& x, int by, const char* what) {
  Layout layout = x.layout;
  if (layout.content != Content::sharded) return layout;
  if (layout.dim != x.ideal.rank() - 1)
    return m.wrong("TP108", std::string("rows that are split over the ranks are ") + what);
  layout.dim += by;
  return layout;
}

Layout batched_product(Machine& m, const TensorState& a, const TensorState& b) {
  const Layout &la = a.layout, &lb = b.layout;
  if (la.content == Content::wrong) return la;
  if (lb.content == Content::wrong) return lb;
  Layout layout;
  layout.scale = la.scale * lb.scale;
  const auto cut = [](const Layout& l, int dim) { return l.content == Content::sharded && l.dim == dim; };
  if (cut(la, 0) && cut(lb, 0) && la.partition == lb.partition)
    layout = Layout{Content::sharded, 0, la.partition, layout.scale, -1};
  else if (cut(la, 2) && cut(lb, 1) && la.partition == lb.partition)
    layout.content = Content::partial;
  else if (la.content == Content::replicated && cut(lb, 2))
    layout = Layout{Content::sharded, 2, lb.partition, layout.scale, -1};
  else if (lb.content == Content::replicated && !cut(la, 0) && !cut(la, 2))
    layout = Layout{la.content, la.dim, la.partition, layout.scale, -1};
  else
    return m.wrong("TP108", "the two sides of a batched product are split differently over the ranks");
  return layout;
}

}  // namespace

std::vector<TensorState> split_by_size(Machine& m, const TensorState& x, int dim, std::int64_t size, int count) {
  dim = dim < 0 ? dim + x.ideal.rank() : dim;
  std::vector<TensorState> parts;
  for (int r = 0; r < m.ranks(); ++r) {
    const std::int64_t pieces = (x.local.at(r)[dim] + size - 1) / size;
    if (pieces != count) {
      m.fail("TP105",
             "the code takes a fused tensor apart in " + text(count) + " pieces of " + text(size) + "; rank " +
                 text(r) + " holds " + text(x.local.at(r)[dim]),
             "ValueError: not enough values to unpack (expected " + text(count) + ", got " + text(pieces) + ")");
      return {};
    }
  }
  for (int c = 0; c < count; ++c) {
    parts.push_back(slice(m, x, dim, c * size, c + 1 == count ? kOpenEnd : (c + 1) * size));
    if (m.failed()) return {};
  }
  return parts;
}

TensorState bmm(Machine& m, const TensorState& a, const TensorState& b) {
  TensorState result;
  if (!plain(m, {&a, &b}, "bmm.default")) return result;
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    const Shape &as = a.local.at(r), &bs = b.local.at(r);
    if (as[0] != bs[0] || as[2] != bs[1]) {
      m.fail(
          "TP108", "batched product of " + to_string(as) + " and " + to_string(bs) + " on rank " + text(r),
          "Expected size for first two dimensions of batch2 tensor to be: [" + text(as[0]) + ", " + text(as[2]) + "]");
      return result;
    }
    locals.push_back(Shape{as[0], as[1], bs[2]});
  }
  result.ideal = Shape{a.ideal[0], a.ideal[1], b.ideal[2]};
  result.local = RankShapes(std::move(locals));
  result.layout = batched_product(m, a, b);
  result = checked(m, std::move(result));
  const Shape& own = result.local.at(0);
  Operation op;
  op.kind = OperationKind::grouped_gemm;
  op.name = "bmm";
  op.experts = own[0];
  op.m = own[0] * own[1];
  op.n = own[2];
  op.k = a.local.at(0)[2];
  op.flops = 2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k);
  op.weight_bytes = storage_bytes(m.workload().weights, b.local.at(0));
  op.input_bytes = heaviest_bytes(a, m);
  op.output_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
  return result;
}

TensorState repeat_rows(Machine& m, const TensorState& x, const TensorState& like) {
  if (!plain(m, {&x, &like}, "repeat.default")) return x;
  TensorState result =
      reshaped(m, x, like, false, [](const Shape& s, const Shape& as) { return s.with(0, s[0] * as[-1]); });
  result.storage = -1;
  result.layout = moved(m, x, 0, "repeated");
  return checked(m, std::move(result));
}

TensorState split_rows(Machine& m, const TensorState& x, const TensorState& like) {
  if (!plain(m, {&x}, "view.default")) return x;
  TensorState result = reshaped(m, x, like, true, [](const Shape& s, const Shape& as) {
    return Shape{as[0], as[0] == 0 ? 0 : s[0] / as[0], s[1]};
  });
  if (m.failed()) return result;
  result.layout = moved(m, x, 1, "grouped");
  return checked(m, std::move(result));
}

TensorState sum_groups(Machine& m, const TensorState& x, const TensorState& like) {
  if (!plain(m, {&x, &like}, "sum.dim_IntList")) return x;
  const auto rows = [](const Shape& s) { return s[-1] == 0 ? 0 : s.numel() / s[-1]; };
  TensorState result = reshaped(m, x, like, false, [&](const Shape& s, const Shape& as) {
    return Shape{as[-1] == 0 ? 0 : rows(s) / as[-1], s[-1]};
  });
  result.storage = -1;
  if (x.layout.content == Content::sharded)
    result.layout = x.layout.dim == x.ideal.rank() - 1
                        ? Layout{Content::sharded, 1, x.layout.partition, x.layout.scale, -1}
                        : m.wrong("TP108", "rows that are split over the ranks are summed");
  return checked(m, std::move(result));
}

TensorState sum_over(Machine& m, const TensorState& x, int dim, bool keep) {
  if (!plain(m, {&x}, "sum.dim_IntList")) return x;
  dim = dim < 0 ? dim + x.ideal.rank() : dim;
  const auto summed = [&](const Shape& s) {
    Shape out;
    for (int i = 0; i < s.rank(); ++i)
      if (i != dim || keep) out.push_back(i == dim ? 1 : s[i]);
    return out;
  };
  TensorState result = x;
  result.storage = -1;
  result.ideal = summed(x.ideal);
  result.local = x.local.map(summed);
  if (x.layout.content == Content::sharded && x.layout.dim == dim)
    result.layout = Layout{Content::partial, 0, -1, x.layout.scale, -1};
  else if (x.layout.content == Content::sharded && x.layout.dim > dim && !keep)
    result.layout.dim -= 1;
  return checked(m, std::move(result));
}

namespace {

// A mask: kernels make it as they go.
bool is_unstored(const TensorState& x) { return x.storage < -1; }

}  // namespace

TensorState repeat_heads(Machine& m, const TensorState& x, std::int64_t n) {
  if (!plain(m, {&x}, "expand.default")) return x;
  const auto repeated = [n](const Shape& s) { return s.with(1, s[1] * n); };
  TensorState result = x;
  if (!is_unstored(x)) result.storage = -1;
  result.ideal = repeated(x.ideal);
  result.local = x.local.map(repeated);
  if (x.layout.content == Content::sharded && x.layout.dim == 1)
    result.layout.partition = m.partitions.intern(multiplied(m.partitions[x.layout.partition], n));
  return checked(m, std::move(result));
}

namespace {

Layout read_whole(Machine& m, const std::string& name, const TensorState& x) {
  if (x.layout.content == Content::wrong) return x.layout;
  if (x.layout.content == Content::partial)
    return m.wrong("TP106", name + " reads partial sums that nothing has reduced");
  if (x.layout.content == Content::sharded)
    return m.wrong("TP108", name + " needs the whole of a tensor that is split over the ranks");
  if (x.layout.scale != 1)
    return m.wrong("TP107", name + " reads values multiplied by " + std::to_string(x.layout.scale));
  return x.layout;
}

}  // namespace

TensorState opaque(Machine& m, const std::string& name, const TensorState& like,
                   const std::vector<const TensorState*>& tensors) {
  TensorState result = like;
  if (!is_unstored(like)) result.storage = -1;
  result.layout = read_whole(m, name, like);
  for (const TensorState* x : tensors) {
    if (!plain(m, {x}, "mm.default")) return result;
    if (result.layout.content != Content::wrong) result.layout = read_whole(m, name, *x);
  }
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::elementwise;
  op.name = name;
  for (const TensorState* x : tensors) op.input_bytes += heaviest_bytes(*x, m);
  op.output_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
  return result;
}

}  // namespace tpsim
