// What is known of one tensor on every rank: its local shapes, and how its contents relate to the tensor that the
// unsharded model has at the same place.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/placement.h"
#include "core/shape.h"

namespace tpsim {

// The local shapes of all ranks; most tensors look alike on every rank, and then one shape stands for all.
class RankShapes {
public:
  RankShapes() = default;
  RankShapes(const Shape& all) : first_(all) {}  // NOLINT: implicit on purpose
  explicit RankShapes(std::vector<Shape> shapes);

  const Shape& at(int rank) const {
    return rank == 0 || others_.empty() ? first_ : others_[static_cast<std::size_t>(rank) - 1];
  }
  bool uniform() const { return others_.empty(); }
  bool operator==(const RankShapes&) const = default;

  // f(Shape) -> Shape on every rank's shape.
  template <class F>
  RankShapes map(F f) const {
    if (uniform()) return RankShapes(f(first_));
    std::vector<Shape> shapes{f(first_)};
    for (const Shape& s : others_) shapes.push_back(f(s));
    return RankShapes(std::move(shapes));
  }

private:
  Shape first_;
  std::vector<Shape> others_;  // ranks 1 .. p-1; empty = like the first
};

enum class Content {
  replicated,  // every rank holds the tensor
  sharded,     // rank r holds the indices of dimension `dim` that the partition gives it
  partial,     // the sum over the ranks is the tensor
  wrong,       // none of these
};

struct Layout {
  Content content = Content::replicated;
  int dim = 0;         // sharded: counted in the unsharded tensor
  int partition = -1;  // sharded: number in the machine's PartitionTable
  double scale = 1;    // what the ranks hold is `scale` times the above: a sum over replicas, a division by p
  int cause = -1;      // wrong: number in the machine's list of causes
  bool operator==(const Layout&) const = default;
};

enum class Elements { floating, ids, routing, masked_routing };

// A DTensor: what the library believes, which need not be true. `global` is the shape it computes from placement and
// local shape.
struct Belief {
  Placement placement;
  Shape global;
  bool operator==(const Belief&) const = default;
};

// `storage` of a tensor that has no allocation yet, and of one that needs none (parameters, masks).
inline constexpr int kNewStorage = -1;
inline constexpr int kPersistentStorage = -2;

struct TensorState {
  Shape ideal;  // in the unsharded model
  RankShapes local;
  Layout layout;
  Elements elements = Elements::floating;
  std::optional<Belief> belief;  // none = a plain tensor
  int storage = kNewStorage;     // number of the allocation it lives in; views share it
  int node = -1;                 // of the trace's graph, that made it
  int value = -1;                // in the recording
  bool sums_gradient = false;    // its maker sums the gradient over the ranks, so consumers must not
  // Equal as far as anything that follows can tell.
  bool same_state(const TensorState& o) const {
    return ideal == o.ideal && local == o.local && layout == o.layout && elements == o.elements && belief == o.belief &&
           sums_gradient == o.sums_gradient;
  }
};

}  // namespace tpsim
