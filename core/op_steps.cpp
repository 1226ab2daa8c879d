#include "core/op_steps.h"

#include <algorithm>

namespace tpsim::ops {

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
  m.fail("TP120",
         std::string(name) + " meets a split parameter (DTensor) and a plain tensor: the module has no wrapper",
         std::string("aten.") + name + " got mixed torch.Tensor and DTensor");
  return false;
}

bool plain(Machine& m, const std::vector<const TensorState*>& tensors, const char* name) {
  for (const TensorState* t : tensors)
    if (t != nullptr && t->belief) {
      m.fail("TP120", std::string(name) + " meets a split parameter (DTensor) and plain tensors",
             std::string("aten.") + name + " got mixed torch.Tensor and DTensor");
      return false;
    }
  return true;
}

TensorState like(const TensorState& x) {
  TensorState result = x;
  result.storage = -1;
  return result;
}

std::int64_t most(const Machine& m, const RankShapes& shapes, int dim) {
  std::int64_t largest = shapes.at(0)[dim];
  for (int r = 1; r < m.ranks() && !shapes.uniform(); ++r) largest = std::max(largest, shapes.at(r)[dim]);
  return largest;
}

int believed_dim(const Belief& belief) {
  const Shard* s = std::get_if<Shard>(&belief.placement);
  return s == nullptr ? -1 : s->dim < 0 ? s->dim + belief.global.rank() : s->dim;
}

Layout cut_as(Machine& m, const Layout& old, int dim, std::optional<Partition> partition, const char* code,
              const std::string& why) {
  if (!partition) return m.wrong(code, why);
  Layout layout = old;
  layout.content = Content::sharded;
  layout.dim = dim;
  layout.partition = m.partitions.intern(std::move(*partition));
  return layout;
}

}  // namespace tpsim::ops
