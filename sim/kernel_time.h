// Kernels as rooflines: fixed time + the longer of flops and bytes at the attained rates.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "sim/hardware.h"
#include "sim/predict.h"

namespace tpsim {

struct KernelTime {
  Seconds time{};
  Bound bound = Bound::compute;
};

// One for each operation of the trace. Operations that share a kernel in every optimised stack share one fixed time,
// and what passes between them in registers is not counted as bytes:
//   - matrix products of one input (q, k, v; gate, up): one product
//   - consecutive norms, ropes, elementwise operations, softmaxes and copies: one kernel (silu * mul, add + norm)
// `norm_follows`: the next trace begins with a norm, which takes a trailing addition in.
std::vector<KernelTime> kernel_times(const Trace& trace, const Workload& workload, const Hardware& hardware,
                                     bool norm_follows);

// Experts that `rows` routes hit among `experts` equally likely ones: E (1 - (1 - 1/E)^rows).
double active_experts(double experts, double rows);

}  // namespace tpsim
