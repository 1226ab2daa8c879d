// The recurrences that `scan` knows; docs/architecture.md has their formulas.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tpsim {

// A recurrence over the sequence, independent for each lane (a head or a channel) of its first input.
struct ScanKind {
  std::string_view name;
  std::span<const int> lanes;      // for each input the dimension that counts lanes
  int grouped = 0;                 // the code repeats this many inputs ...
  int first_grouped = 0;           // ... from this one on to as many lanes as the first input has
  int state_input = 0;             // a lane's state: this input's last extent, by the first one's where it has heads
  double flops_per_state = 0;      // per position and number of the state
  std::int64_t state_numbers = 0;  // a lane's state where state_input is -1
};
// nullptr where there is no such kind.
const ScanKind* find_scan(std::string_view name);
std::span<const ScanKind> scan_kinds();

}  // namespace tpsim
