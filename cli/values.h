// Text of flags to values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "core/result.h"

namespace tpsim::cli {

// "4096", "4k" (4000), "4Ki" (4096), "2M", "1Gi"; letter case of the unit does not matter. None for anything else and
// for values beyond 64 bits.
std::optional<std::int64_t> parse_size(std::string_view text);
// As parse_size, within [low, high]; the error names both bounds.
Result<std::int64_t> parse_number(std::string_view text, std::int64_t low, std::int64_t high);
// "1,2,4,8", "1..16", "2,8..16", "valid".
Result<TpChoice> parse_tp(std::string_view text);
// "a,b , c" -> {"a", "b", "c"}; empty pieces are dropped.
std::vector<std::string> split_list(std::string_view text);

}  // namespace tpsim::cli
