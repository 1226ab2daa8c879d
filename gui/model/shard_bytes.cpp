#include "gui/model/shard_bytes.h"

#include <algorithm>

#include "cli/text.h"

namespace tpsim::gui {

std::vector<ByteRange> byte_ranges(const ShardSpec& spec, std::size_t rank) {
  std::vector<ByteRange> out;
  const int dim = cut_dim(spec.placement);
  if (spec.bytes <= 0 || rank >= spec.ranks.size()) return out;
  if (dim < 0) return {{0, spec.bytes - 1, 1, spec.bytes, spec.bytes}};
  std::int64_t outer = 1;
  for (int d = 0; d < dim; ++d) outer *= spec.shape[d];
  const std::int64_t extent = std::max<std::int64_t>(spec.shape[dim], 1),
                     stride = spec.bytes / std::max<std::int64_t>(outer, 1);
  for (const Range& range : spec.ranks[rank].ranges) {
    if (range.size() <= 0) continue;
    const std::int64_t begin = stride * range.begin / extent, end = stride * range.end / extent;
    out.push_back({begin, (outer - 1) * stride + end - 1, outer, end - begin, stride});
  }
  return out;
}

const CheckpointTensor* tensor_named(const Checkpoint& checkpoint, const std::string& name) {
  const auto at = std::lower_bound(checkpoint.tensors.begin(), checkpoint.tensors.end(), name,
                                   [](const CheckpointTensor& t, const std::string& n) { return t.name < n; });
  return at != checkpoint.tensors.end() && at->name == name && at->bytes > 0 ? &*at : nullptr;
}

std::string bytes_on_disk(const std::vector<ByteRange>& ranges, std::int64_t begin) {
  std::vector<std::string> parts;
  for (const ByteRange& r : ranges)
    parts.push_back(r.runs == 1 ? cli::grouped(begin + r.first) + ".." + cli::grouped(begin + r.last)
                                : cli::grouped(r.runs) + " x " + cli::grouped(r.run) + " B every " +
                                      cli::grouped(r.stride) + " B from " + cli::grouped(begin + r.first));
  return parts.empty() ? "nothing" : cli::joined(parts, ", ");
}

}  // namespace tpsim::gui
