// The stream behind a KernelDevice's queue.
#pragma once

#include "exec/cuda/kernels/launch.cuh"

namespace tpsim::exec::cuda {

#ifdef __CUDACC__
inline Stream stream_of(void* queue) { return static_cast<cudaStream_t>(queue); }
#else
inline Stream stream_of(void*) { return 0; }
#endif

}  // namespace tpsim::exec::cuda
