// Kernels as rooflines from the data sheet: fixed time + the longer of flops and bytes at the attained rates.
#pragma once

#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/kernel.h"

namespace tpsim {

// What a kernel computes and moves. `floors`: fixed time in shortest kernels.
struct KernelWork {
  double flops = 0, bytes = 0, floors = 1;
};
KernelWork work_of(const KernelCall& call);

// Source `spec`.
Estimate spec_estimate(const KernelCall& call, const Hardware& hardware);

// Experts that `rows` routes hit among `experts` equally likely ones: E (1 - (1 - 1/E)^rows).
double active_experts(double experts, double rows);

}  // namespace tpsim
