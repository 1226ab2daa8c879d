// Which bytes of a checkpoint each rank reads of a parameter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/safetensors.h"

namespace tpsim::gui {

// Bytes [first, last] as offsets from `from`: one run where the cut dimension is the outermost, else runs of `run`
// bytes every `stride` bytes.
struct ByteRange {
  std::int64_t first = 0, last = -1;
  std::int64_t runs = 1, run = 0, stride = 0;
};
std::vector<ByteRange> byte_ranges(const ShardSpec& spec, std::size_t rank);

// The tensor of that name in the headers; null where it is not there or not known.
const CheckpointTensor* tensor_named(const Checkpoint& checkpoint, const std::string& name);

// "0..4,194,303" or "4,096 x 512 B every 2,048 B from 512"; offsets are from `begin`.
std::string bytes_on_disk(const std::vector<ByteRange>& ranges, std::int64_t begin);

}  // namespace tpsim::gui
