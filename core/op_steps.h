// Steps that the symbolic operations share; for the files of the operations only.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim::ops {

inline std::string text(std::int64_t n) { return std::to_string(n); }

// torch's broadcasting; none where the shapes do not fit, and what torch says then.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);
std::string mismatch(const Shape& a, const Shape& b);

// f(rank) -> Shape on every rank, or once where both inputs look alike everywhere.
template <class F>
RankShapes per_rank(const Machine& m, bool uniform, F f) {
  if (uniform) return RankShapes(f(0));
  std::vector<Shape> shapes;
  for (int rank = 0; rank < m.ranks(); ++rank) shapes.push_back(f(rank));
  return RankShapes(std::move(shapes));
}

// False and a fault where a DTensor meets a plain tensor. Null pointers are absent operands.
bool one_kind(Machine& m, std::initializer_list<const TensorState*> tensors, const char* name);

// False and a fault where any operand is a DTensor: operations that exist for plain tensors only.
bool plain(Machine& m, const std::vector<const TensorState*>& tensors, const char* name);

// A new tensor with x's state.
TensorState like(const TensorState& x);
inline bool is_last(const TensorState& x) { return x.layout.dim == x.ideal.rank() - 1; }
// The dimension that a DTensor is believed to be cut along; -1 = none.
int believed_dim(const Belief& belief);
// A dimension that may count from the end.
inline int wrapped(int dim, int rank) { return dim < 0 ? dim + rank : dim; }
// Sharded on `dim` by `partition` if there is one, else wrong.
Layout cut_as(Machine& m, const Layout& old, int dim, std::optional<Partition> partition, const char* code,
              const std::string& why);
// The largest extent of `dim` over the ranks.
std::int64_t most(const Machine& m, const RankShapes& shapes, int dim);

}  // namespace tpsim::ops
