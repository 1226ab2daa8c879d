// Kernels are compiled for GPUs by nvcc and, for tests, for the CPU by the emulation.
#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <string>

#include "exec/device.h"
#else
#include "exec/cuda/emulation/cuda_on_cpu.h"
#endif

#include <cstddef>
#include <cstdint>

namespace tpsim::exec::cuda {

#ifdef __CUDACC__
using Stream = cudaStream_t;
#define TPSIM_DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

inline void check(cudaError_t code, const char* what) {
  if (code != cudaSuccess) throw DeviceFailure(std::string("CUDA: ") + what + ": " + cudaGetErrorString(code));
}

template <class... Args>
void launch(void (*kernel)(Args...), dim3 grid, unsigned threads, std::size_t shared, Stream stream, Args... args) {
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  if (shared > kWithoutAsking)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)),
          "shared memory of a kernel");
  kernel<<<grid, threads, shared, stream>>>(args...);
  check(cudaGetLastError(), "launch of a kernel");
}
#else
using Stream = int;
#define TPSIM_DYNAMIC_SHARED(name) unsigned char* name = emulation::shared_memory()

template <class... Args>
void launch(void (*kernel)(Args...), dim3 grid, unsigned threads, std::size_t shared, Stream, Args... args) {
  emulation::run(grid, threads, shared, [&] { kernel(args...); });
}
#endif

constexpr unsigned kThreads = 256;
constexpr unsigned kWarp = 32;

// Blocks for one thread per element; each thread takes further ones where there are more.
inline dim3 blocks_for(std::int64_t elements, unsigned threads = kThreads) {
  constexpr std::int64_t kMostBlocks = 1 << 16;
  const std::int64_t blocks = (elements + threads - 1) / threads;
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks > kMostBlocks ? kMostBlocks : blocks));
}

__device__ inline std::int64_t first_element() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t element_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

}  // namespace tpsim::exec::cuda
