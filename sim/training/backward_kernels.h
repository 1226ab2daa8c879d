// The kernels that a kernel of the forward pass brings about in the backward pass.
#pragma once

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

}  // namespace tpsim
