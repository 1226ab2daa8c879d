// The collectives of tensor_ops.h, and the cut that needs none.
#include <string>
#include <utility>
#include <vector>

#include "core/op_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

using ops::cut_as;
using ops::text;
using ops::wrapped;

}  // namespace

namespace {

TensorState reduced(Machine& m, const TensorState& x, Machine::When when) {
  TensorState result = x;
  result.belief.reset();
  m.communicate(CollectiveOp::all_reduce, x, x.local.at(0).numel(), when);
  if (!x.local.uniform()) {
    m.fail("TP108", "the ranks reduce tensors of different sizes", "the collective hangs or aborts");
    return result;
  }
  if (x.layout.content == Content::partial)
    result.layout.content = Content::replicated;
  else if (x.layout.content == Content::replicated)
    result.layout.scale *= m.ranks();
  else if (x.layout.content == Content::sharded)
    result.layout = m.wrong("TP108", "the ranks' different shards are added up");
  if (result.layout.scale == 1 || x.layout.content != Content::replicated) return checked(m, std::move(result));
  return result;
}

TensorState gathered(Machine& m, const TensorState& x, int dim, bool padded, Machine::When when) {
  TensorState result = x;
  result.storage = -1;
  result.belief.reset();
  dim = wrapped(dim, x.ideal.rank());
  if (!x.local.uniform() && !padded) {
    m.fail("TP103", "the ranks gather tensors of different sizes", "the collective hangs or aborts");
    return result;
  }
  std::int64_t total = 0;
  for (int r = 0; r < m.ranks(); ++r) total += x.local.at(r)[dim];
  const Shape& own = x.local.at(0);
  m.communicate(CollectiveOp::all_gather, x, own.numel() * m.ranks(), when);
  result.local = RankShapes(own.with(dim, total));
  if (x.layout.content == Content::sharded && x.layout.dim == dim && is_in_order(m.partitions[x.layout.partition])) {
    result.layout.content = Content::replicated;
    return checked(m, std::move(result));
  }
  if (x.layout.content == Content::wrong) return result;
  const bool whole = x.layout.content == Content::replicated;
  result.layout = m.wrong(whole ? "TP107" : "TP105", whole ? "complete outputs are gathered, so they come out " +
                                                                 text(m.ranks()) + " times too wide"
                                                           : "the gathered shards are not in order");
  return result;
}

TensorState own_chunk(Machine& m, const TensorState& x, int dim, bool empty_is_fault) {
  TensorState result = x;
  result.belief.reset();
  dim = wrapped(dim, x.ideal.rank());
  std::vector<Shape> locals;
  for (int r = 0; r < m.ranks(); ++r) {
    const Range own = chunk_range(x.local.at(r)[dim], m.ranks(), r);
    if (own.size() == 0 && empty_is_fault) {
      m.fail("TP103", text(x.local.at(r)[dim]) + " features do not give " + text(m.ranks()) + " chunks",
             "tuple index out of range");
      return result;
    }
    locals.push_back(x.local.at(r).with(dim, own.size()));
  }
  result.local = RankShapes(std::move(locals));
  if (x.layout.content == Content::wrong) return result;
  if (x.layout.content == Content::replicated)
    result.layout = cut_as(m, x.layout, dim, chunked(x.ideal[dim], m.ranks()), "TP108", "");
  else
    result.layout = m.wrong("TP108", "an input that is not whole on every rank is split again");
  return checked(m, std::move(result));
}

TensorState scattered(Machine& m, const TensorState& x, int dim, Machine::When when) {
  dim = wrapped(dim, x.ideal.rank());
  m.communicate(CollectiveOp::reduce_scatter, x, x.local.at(0).numel(), when);
  TensorState whole = x;
  whole.belief.reset();
  if (x.layout.content == Content::partial)
    whole.layout.content = Content::replicated;
  else if (x.layout.content == Content::replicated)
    whole.layout.scale *= m.ranks();
  else if (x.layout.content == Content::sharded)
    whole.layout = m.wrong("TP108", "the ranks' different shards are added up");
  whole = own_chunk(m, whole, dim, false);
  whole.storage = -1;
  return whole;
}

}  // namespace

TensorState all_reduce(Machine& m, const TensorState& x, Machine::When when) {
  TensorState result = reduced(m, x, when);
  if (when != Machine::When::inference || !notes_training(m)) note(m, Primitive::reduce, {&x}, {&result});
  return result;
}

TensorState all_gather(Machine& m, const TensorState& x, int dim, bool padded, Machine::When when) {
  TensorState result = gathered(m, x, dim, padded, when);
  dim = wrapped(dim, x.ideal.rank());
  if (RecordedOp* noted = note(m, Primitive::gather, {&x}, {&result}, {dim}))
    for (int r = 0; r < m.ranks(); ++r) noted->ranges.push_back({{0, x.local.at(r)[dim]}});
  return result;
}

TensorState reduce_scatter(Machine& m, const TensorState& x, int dim, Machine::When when) {
  TensorState result = scattered(m, x, dim, when);
  note(m, Primitive::scatter, {&x}, {&result}, {wrapped(dim, x.ideal.rank())});
  return result;
}

TensorState local_chunk(Machine& m, const TensorState& x, int dim, bool empty_is_fault) {
  TensorState result = own_chunk(m, x, dim, empty_is_fault);
  note(m, Primitive::own_chunk, {&x}, {&result}, {wrapped(dim, x.ideal.rank()), m.ranks()});
  return result;
}

}  // namespace tpsim
