// Products with weights, and table lookups.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/op_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::is_last;
using ops::most;
using ops::one_kind;
using ops::per_rank;
using ops::text;

}  // namespace

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
    if (lb.content == Content::partial || (lb.content == Content::replicated && lb.scale * m.ranks() == layout.scale))
      return layout;
    return m.wrong("TP112",
                   "every rank adds the whole bias to its partial sum, so it counts " + text(m.ranks()) + " times");
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
           "a and b must have same reduction dim, but got [" + text(rows_of(gx)) + ", " + text(gx[-1]) + "] X [" +
               text(gw[in]) + ", " + text(gw[out]) + "]");
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

// DTensor's own move before a product whose weight is cut along its input features: the replicated input is cut to
// match.
TensorState fitted_input(Machine& m, const TensorState& x, const TensorState& w, int in) {
  if (!x.belief || !w.belief || !std::holds_alternative<Replicate>(x.belief->placement)) return x;
  const Shard* s = std::get_if<Shard>(&w.belief->placement);
  if (s == nullptr || (s->dim < 0 ? s->dim + w.ideal.rank() : s->dim) != in) return x;
  TensorState cut = local_chunk(m, x, x.ideal.rank() - 1, false);
  cut.belief = Belief{Shard{x.ideal.rank() - 1}, x.belief->global};
  return cut;
}

}  // namespace

TensorState linear(Machine& m, const TensorState& given, const TensorState& w, const TensorState* bias,
                   bool transposed) {
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
      m.fail("TP108",
             "an input of " + text(xs[-1]) + " features enters a weight for " + text(ws[in]) + " on rank " + text(r),
             "mat1 and mat2 shapes cannot be multiplied (" + text(rows_of(xs)) + "x" + text(xs[-1]) + " and " +
                 text(ws[in]) + "x" + text(ws[out]) + ")");
      return result;
    }
    if (bias != nullptr && bias->local.at(r)[-1] != ws[out] && bias->local.at(r)[-1] != 1) {
      m.fail("TP108",
             "a bias of " + text(bias->local.at(r)[-1]) + " entries meets " + text(ws[out]) + " outputs on rank " +
                 text(r),
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
  if (RecordedOp* noted = note(m, Op::linear, {&x, &w, bias}, {&result})) noted->ints = {transposed ? 1 : 0};
  return result;
}

namespace {

// The rows that a rank's table answers for where ids of other rows give zeros. Plain tables count from the rank's own
// size.
std::vector<std::vector<Range>> answered_rows(const Machine& m, const TensorState& table) {
  if (m.dialect().generation() != Generation::plain_hooks || table.belief) return ranges_of(m, table);
  std::vector<std::vector<Range>> rows;
  for (int r = 0; r < m.ranks(); ++r) {
    const std::int64_t own = table.local.at(r)[0];
    rows.push_back({{r * own, (r + 1) * own}});
  }
  return rows;
}

void note_embedding(Machine& m, const TensorState& ids, const TensorState& table, bool masked, TensorState& result) {
  RecordedOp* noted = note(m, Primitive::embedding, {&ids, &table}, {&result});
  if (noted == nullptr) return;
  noted->number = m.recorder->numbers.number;
  const bool by_columns = table.layout.content == Content::sharded && table.layout.dim != 0;
  if (masked && !by_columns) noted->ranges = answered_rows(m, table);
}

}  // namespace

TensorState embedding(Machine& m, const TensorState& ids, const TensorState& table) {
  TensorState result;
  if (!one_kind(m, {&ids, &table}, "embedding.default")) return result;
  if (ids.elements == Elements::floating) {
    m.fail("TP121", "the embedding gets numbers instead of token ids",
           "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
           "FloatTensor");
    return result;
  }
  result.ideal = ids.ideal;
  result.ideal.push_back(table.ideal[1]);
  const bool masked = ids.elements == Elements::masked_routing || (table.belief.has_value());
  for (int r = 0; r < m.ranks() && !masked; ++r)
    if (table.local.at(r)[0] < table.ideal[0]) {
      m.fail("TP123",
             "rank " + text(r) + " holds " + text(table.local.at(r)[0]) + " of " + text(table.ideal[0]) +
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
    if (s != nullptr)
      belief.placement =
          (s->dim == 0 || s->dim == -2) ? Placement(Partial{}) : Placement(Shard{result.ideal.rank() - 1});
    result.belief = belief;
  }
  result = checked(m, std::move(result));
  Operation op;
  op.kind = OperationKind::embedding;
  op.name = "embedding";
  op.output_bytes = op.input_bytes = heaviest_bytes(result, m);
  m.record(std::move(op));
  note_embedding(m, ids, table, masked, result);
  return result;
}

}  // namespace tpsim
