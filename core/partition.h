// Which indices of a dimension each rank holds, exactly: plain and packed shards, heads, uneven and empty pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/shape.h"

namespace tpsim {

// Per rank the index ranges it holds, in the order in which they lie in its local tensor; adjacent ranges are merged,
// empty ones left out. The ranks' ranges are disjoint and together cover [0, extent).
struct Partition {
  std::int64_t extent = 0;
  std::vector<std::vector<Range>> ranks;

  std::int64_t local_extent(int rank) const;
  bool operator==(const Partition&) const = default;
};

// `blocks` blocks (torch.chunk of the extent), each cut as torch.chunk does: 8 in 2 blocks over 2 ranks -> rank 0 [0,2)
// [4,6), rank 1 [2,4) [6,8).
Partition chunked(std::int64_t extent, int ranks, int blocks = 1);

// The partition of extent / unit groups of `unit` indices (features -> heads); none where a range cuts a group.
std::optional<Partition> divided(const Partition& partition, std::int64_t unit);
// The inverse (heads -> features).
Partition multiplied(const Partition& partition, std::int64_t unit);

// The pieces that local positions [begin_r, end_r) of every rank hold, as a partition of the ideal piece [piece.begin,
// piece.end); none where they hold anything else.
std::optional<Partition> restricted(const Partition& partition, const std::vector<Range>& local, Range piece);
// Two tensors one behind the other along the partitioned dimension.
Partition concatenated(const Partition& first, const Partition& second);
// True if the ranks' pieces, one behind the other, are 0 .. extent-1 in order: what an all-gather restores.
bool is_in_order(const Partition& partition);

// Every partition that occurs, once: equal partitions have equal numbers.
class PartitionTable {
public:
  int intern(Partition partition);
  const Partition& operator[](int index) const { return partitions_[static_cast<std::size_t>(index)]; }

private:
  std::vector<Partition> partitions_;
};

}  // namespace tpsim
