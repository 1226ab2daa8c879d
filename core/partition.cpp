#include "core/partition.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tpsim {
namespace {

void append(std::vector<Range>& ranges, Range next) {
  if (next.size() <= 0) return;
  if (!ranges.empty() && ranges.back().end == next.begin)
    ranges.back().end = next.end;
  else
    ranges.push_back(next);
}

// The global ranges behind local positions [local.begin, local.end).
std::vector<Range> selected(const std::vector<Range>& ranges, Range local) {
  std::vector<Range> result;
  std::int64_t position = 0;
  for (const Range& range : ranges) {
    const std::int64_t first = std::max(local.begin, position);
    const std::int64_t last = std::min(local.end, position + range.size());
    if (first < last) append(result, {range.begin + first - position, range.begin + last - position});
    position += range.size();
  }
  return result;
}

bool tiles(const Partition& partition) {
  std::vector<Range> all;
  for (const auto& ranges : partition.ranks) all.insert(all.end(), ranges.begin(), ranges.end());
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::int64_t next = 0;
  for (const Range& range : all) {
    if (range.begin != next) return false;
    next = range.end;
  }
  return next == partition.extent;
}

}  // namespace

std::int64_t Partition::local_extent(int rank) const {
  std::int64_t sum = 0;
  for (const Range& range : ranks[static_cast<std::size_t>(rank)]) sum += range.size();
  return sum;
}

Partition chunked(std::int64_t extent, int ranks, int blocks) {
  Partition partition{extent, std::vector<std::vector<Range>>(static_cast<std::size_t>(ranks))};
  for (int rank = 0; rank < ranks; ++rank)
    for (int b = 0; b < blocks; ++b) {
      const Range block = chunk_range(extent, blocks, b);
      const Range piece = chunk_range(block.size(), ranks, rank);
      append(partition.ranks[static_cast<std::size_t>(rank)], {block.begin + piece.begin, block.begin + piece.end});
    }
  return partition;
}

std::optional<Partition> divided(const Partition& partition, std::int64_t unit) {
  if (unit <= 0 || partition.extent % unit != 0) return std::nullopt;
  Partition result{partition.extent / unit, partition.ranks};
  for (auto& ranges : result.ranks)
    for (Range& range : ranges) {
      if (range.begin % unit != 0 || range.end % unit != 0) return std::nullopt;
      range = {range.begin / unit, range.end / unit};
    }
  return result;
}

Partition multiplied(const Partition& partition, std::int64_t unit) {
  Partition result{partition.extent * unit, partition.ranks};
  for (auto& ranges : result.ranks)
    for (Range& range : ranges) range = {range.begin * unit, range.end * unit};
  return result;
}

std::optional<Partition> restricted(const Partition& partition, const std::vector<Range>& local, Range piece) {
  assert(local.size() == partition.ranks.size());
  Partition result{piece.size(), {}};
  for (std::size_t rank = 0; rank < local.size(); ++rank) {
    std::vector<Range> ranges = selected(partition.ranks[rank], local[rank]);
    for (Range& range : ranges) {
      if (range.begin < piece.begin || range.end > piece.end) return std::nullopt;
      range = {range.begin - piece.begin, range.end - piece.begin};
    }
    result.ranks.push_back(std::move(ranges));
  }
  if (!tiles(result)) return std::nullopt;
  return result;
}

Partition concatenated(const Partition& first, const Partition& second) {
  Partition result = first;
  result.extent += second.extent;
  for (std::size_t rank = 0; rank < result.ranks.size(); ++rank)
    for (const Range& range : second.ranks[rank])
      append(result.ranks[rank], {range.begin + first.extent, range.end + first.extent});
  return result;
}

bool is_in_order(const Partition& partition) {
  std::int64_t next = 0;
  for (const auto& ranges : partition.ranks)
    for (const Range& range : ranges) {
      if (range.begin != next) return false;
      next = range.end;
    }
  return next == partition.extent;
}

int PartitionTable::intern(Partition partition) {
  const auto found = std::find(partitions_.begin(), partitions_.end(), partition);
  if (found != partitions_.end()) return static_cast<int>(found - partitions_.begin());
  partitions_.push_back(std::move(partition));
  return static_cast<int>(partitions_.size()) - 1;
}

}  // namespace tpsim
