// Whether a run can fit into this machine's memory, before anything is allocated.
#pragma once

#include <cstdint>
#include <optional>

#include "exec/plan_passes.h"

namespace tpsim::exec {

// What the system, the control group and the limits of this process leave; none: unknown.
std::optional<std::int64_t> available_bytes();

// The least that a run needs: weights, KV cache and logits of the unsharded model, or of `ranks_here` ranks at once.
std::int64_t least_bytes(const PlanPasses& passes, int ranks_here, bool float64);

inline constexpr char kInferenceParts[] =
    "weights, KV cache and logits of the unsharded model, or of all ranks of this machine";

// Error: `needed` is more than `available`; `parts`: what is counted.
Result<void> check_memory(std::int64_t needed, std::optional<std::int64_t> available,
                          const char* parts = kInferenceParts);

}  // namespace tpsim::exec
