// Operations that run along the sequence: short convolutions and recurrences with a state; rules as in tensor_ops.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/machine.h"
#include "core/scan_kinds.h"
#include "core/tensor_state.h"

namespace tpsim {

// Depthwise: x [B, C, S], weight [C, 1, K], bias [C] or null -> [B, C, S], each channel over its own last K positions.
// `groups`: a constant of the code; 0 = as many as x has channels.
TensorState causal_conv(Machine& m, const TensorState& x, const TensorState& weight, const TensorState* bias,
                        std::int64_t groups = 0);

// The result is shaped as the first input [B, S, n] or [B, S, n, d]. A lane of a grouped input serves a run of the
// result's.
TensorState scan(Machine& m, const ScanKind& kind, const std::vector<const TensorState*>& inputs);

// x [B, S, H] moved on by one position, zeros at the first. Keeps one position as state.
TensorState previous(Machine& m, const TensorState& x);

}  // namespace tpsim
