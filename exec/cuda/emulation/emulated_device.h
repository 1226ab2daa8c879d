// The CUDA device's kernels on the CPU, for tests: memory is the heap's, operations run when they are called.
#pragma once

#include <memory>

#include "exec/device.h"

namespace tpsim::exec::cuda {

struct EmulatedLimits {
  std::size_t shared_bytes = 99 * 1024;  // the least of the supported chips (8.6, 8.9)
  int multiprocessors = 4;               // few, so that small cases take one block per head and larger ones split keys
};
std::unique_ptr<Device> emulated_device(EmulatedLimits limits = {});

}  // namespace tpsim::exec::cuda
