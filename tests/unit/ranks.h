// A Machine with a trace, and the tensors that operations on it start from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/machine.h"
#include "core/tensor_ops.h"

namespace tpsim {

struct Ranks {
  Machine m;
  Trace trace;

  explicit Ranks(int ranks, const Dialect& dialect = kNewestDialect, const Workload& workload = {})
      : m(ranks, dialect, workload) {
    m.trace = &trace;
  }

  TensorState whole(const Shape& shape) { return replicated(m, shape); }
  TensorState ids(const Shape& shape) { return replicated(m, shape, Elements::ids); }
  TensorState with_layout(const Shape& shape, Content content, double scale = 1) {
    TensorState state = whole(shape);
    state.layout.content = content;
    state.layout.scale = scale;
    return state;
  }
  TensorState partial(const Shape& shape) { return with_layout(shape, Content::partial); }
  // Every rank holds `factor` times the tensor.
  TensorState scaled(const Shape& shape, double factor) { return with_layout(shape, Content::replicated, factor); }
  TensorState cut(const Shape& shape, int dim, Partition partition) {
    TensorState state = whole(shape);
    std::vector<Shape> shapes;
    for (int r = 0; r < m.ranks(); ++r) shapes.push_back(shape.with(dim, partition.local_extent(r)));
    state.local = RankShapes(std::move(shapes));
    state.layout =
        Layout{Content::sharded, dim < 0 ? dim + shape.rank() : dim, m.partitions.intern(std::move(partition)), 1, -1};
    return state;
  }
  TensorState cut(const Shape& shape, int dim, int blocks = 1) {
    return cut(shape, dim, chunked(shape[dim], m.ranks(), blocks));
  }
  // A DTensor, rightly believed to lie as it does.
  TensorState distributed(TensorState state) {
    const Placement placement = state.layout.content == Content::sharded   ? Placement(Shard{state.layout.dim})
                                : state.layout.content == Content::partial ? Placement(Partial{})
                                                                           : Placement(Replicate{});
    state.belief = Belief{placement, state.ideal};
    return state;
  }

  const std::vector<Range>& ranges(const TensorState& state, int rank) const {
    return m.partitions[state.layout.partition].ranks[static_cast<std::size_t>(rank)];
  }
  // "TP106" for a tensor that is wrong, else "".
  std::string code(const TensorState& state) const {
    return state.layout.content == Content::wrong ? m.causes()[static_cast<std::size_t>(state.layout.cause)].code : "";
  }
  // "TP108" for a run that stopped, else "".
  std::string fault() const { return m.failed() ? m.fault().code : ""; }
};

inline bool is_whole(const TensorState& s) {
  return s.layout.content == Content::replicated && s.layout.scale == 1 && s.local == RankShapes(s.ideal);
}
inline bool is_cut(const TensorState& s, int dim) {
  return s.layout.content == Content::sharded && s.layout.dim == dim;
}
inline bool is_partial(const TensorState& s) { return s.layout.content == Content::partial; }

}  // namespace tpsim
