#include <algorithm>

#include "core/redistribute.h"

namespace tpsim {
namespace {

using Ranges = std::vector<Range>;

std::int64_t total(const Ranges& ranges) {
  std::int64_t size = 0;
  for (const auto& range : ranges) size += range.size();
  return size;
}

void append(Ranges& ranges, Range range) {
  if (range.size() <= 0) return;
  if (!ranges.empty() && ranges.back().end == range.begin) {
    ranges.back().end = range.end;
  } else {
    ranges.push_back(range);
  }
}

// The indices at positions [cut.begin, cut.end) of the list.
void append_positions(Ranges& out, const Ranges& ranges, Range cut) {
  std::int64_t position = 0;
  for (const auto& range : ranges) {
    const std::int64_t begin = std::max(cut.begin, position), end = std::min(cut.end, position + range.size());
    if (begin < end) append(out, {range.begin + begin - position, range.begin + end - position});
    position += range.size();
  }
}

// `blocks` chunks, each chunked over the parts; one block is a plain Shard.
Ranges cut(const Ranges& ranges, int blocks, int parts, int index) {
  Ranges out;
  const std::int64_t extent = total(ranges);
  for (int b = 0; b < blocks; ++b) {
    const Range block = chunk_range(extent, blocks, b);
    if (block.size() == 0) break;
    const Range piece = chunk_range(block.size(), parts, index);
    append_positions(out, ranges, {block.begin + piece.begin, block.begin + piece.end});
  }
  return out;
}

int blocks_of(const Placement& placement) {
  const auto* strided = std::get_if<StridedShard>(&placement);
  return strided != nullptr ? strided->blocks : 1;
}

}  // namespace

LocalShard local_shard(const Shape& shape, const DeviceMesh& mesh, const std::vector<Placement>& placements, int rank) {
  LocalShard shard;
  for (auto extent : shape) {
    shard.ranges.emplace_back();
    append(shard.ranges.back(), {0, extent});
  }
  const auto coordinate = mesh.coordinate(rank);
  for (std::size_t i = 0; i < placements.size(); ++i) {
    const int dim = cut_dim(placements[i]);
    if (dim < 0) continue;
    auto& ranges = shard.ranges[static_cast<std::size_t>(dim)];
    ranges = cut(ranges, blocks_of(placements[i]), mesh.sizes[i], coordinate[i]);
  }
  for (const auto& ranges : shard.ranges) shard.shape.push_back(total(ranges));
  return shard;
}

}  // namespace tpsim
