#include "core/scan_kinds.h"

#include <algorithm>
#include <array>

namespace tpsim {
namespace {

constexpr std::array kSsmLanes{2, 2, 0, 2, 2};
constexpr std::array kDeltaLanes{2, 2, 2, 2, 2};
constexpr std::array kWkvLanes{2, 2, 0, 0};
constexpr std::array kRgLruLanes{2, 2};

// Operations per number of the state and position. ssm: decay, product and sum of the update, product and sum of the
// read-out. gated_delta: decay, prediction (2), update (2), read-out (2). wkv: per number of three a weight, a product
// and a sum, twice. rg_lru: scale (3), product, sum.
constexpr std::array kScans{
    ScanKind{"ssm", kSsmLanes, 2, 3, 3, 5},
    ScanKind{"gated_delta", kDeltaLanes, 2, 1, 2, 7},
    ScanKind{"wkv", kWkvLanes, 0, 0, -1, 6, 3},
    ScanKind{"rg_lru", kRgLruLanes, 0, 0, -1, 5, 1},
};

}  // namespace

std::span<const ScanKind> scan_kinds() { return kScans; }

const ScanKind* find_scan(std::string_view name) {
  const auto found = std::find_if(kScans.begin(), kScans.end(), [&](const ScanKind& k) { return k.name == name; });
  return found == kScans.end() ? nullptr : &*found;
}

}  // namespace tpsim
