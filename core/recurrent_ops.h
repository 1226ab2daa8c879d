// Operations that run along the sequence: short convolutions and recurrences with a state; rules as in tensor_ops.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim {

// Depthwise: x [B, C, S], weight [C, 1, K], bias [C] or null -> [B, C, S], each channel over its own last K positions. `groups`:
// a constant of the code; 0 = as many as x has channels.
TensorState causal_conv(Machine& m, const TensorState& x, const TensorState& weight, const TensorState* bias,
                        std::int64_t groups = 0);

// A recurrence over the sequence, independent for each lane (a head or a channel) of its first input.
struct ScanKind {
  std::string_view name;
  std::span<const int> lanes;  // for each input the dimension that counts lanes
  int grouped = 0;             // the code repeats this many inputs ...
  int first_grouped = 0;       // ... from this one on to as many lanes as the first input has
  int state_input = -1;        // a lane's state: the last extent of this input (-1: 1) by that of the first where it has heads
  double flops_per_state = 0;  // per position and number of the state
};
// nullptr where there is no such kind.
const ScanKind* find_scan(std::string_view name);
std::span<const ScanKind> scan_kinds();

// The result is shaped as the first input [B, S, n] or [B, S, n, d]. A lane of a grouped input serves a run of the result's.
TensorState scan(Machine& m, const ScanKind& kind, const std::vector<const TensorState*>& inputs);

}  // namespace tpsim
