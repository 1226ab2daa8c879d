// The kernels that a kernel of the forward pass brings about in the backward pass.
#pragma once

#include <cstdint>

#include "sim/kernel.h"

namespace tpsim {

struct BackwardKernels {
  // Up to three calls, each with the number of times its time counts.
  struct Part {
    KernelCall call;
    double times = 1;
  };
  Part parts[3];
  int count = 0;
};

BackwardKernels backward_of(const KernelCall& forward);

// A kernel that reads and writes `bytes` in all, as an addition of two tensors does.
KernelCall moving_kernel(DType type, std::int64_t bytes);

}  // namespace tpsim
