// What a rank holds of a weight, in words.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/model.h"

namespace tpsim::cli {

// The attention heads that the cut dimension holds.
struct Heads {
  std::string label;       // "kv heads"
  std::int64_t count = 0;  // 0: the cut dimension does not hold heads
  std::int64_t size = 0;
};

Heads heads_of(const Model& model, const ShardSpec& spec);

std::string ranges_text(const std::vector<Range>& ranges);  // "0..255, 512..767"; "all" of a full copy
// "0-1"; "0 in part" where a range cuts a head.
std::string heads_text(const std::vector<Range>& ranges, const Heads& heads);
std::string spaced_shape(const Shape& shape);       // "1024 x 8192"
std::string dimension_name(const ShardSpec& spec);  // of the cut dimension: "rows"

}  // namespace tpsim::cli
