// What libtpsim_cuda.so exports.
#include <cuda_runtime_api.h>

#include "core/version.h"
#include "exec/cuda/cuda_device.h"
#include "exec/cuda/nccl_link.h"
#include "exec/gpu_module.h"

namespace tpsim::exec::cuda {
namespace {

Gpu gpu_with(int number) {
  Gpu gpu;
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, number) != cudaSuccess) return gpu;
  gpu.name = properties.name;
  gpu.major = properties.major;
  gpu.minor = properties.minor;
  gpu.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  gpu.multiprocessors = properties.multiProcessorCount;
  int kilohertz = 0;
  if (cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, number) == cudaSuccess) gpu.clock_mhz = kilohertz / 1000;
  return gpu;
}

// Without a driver CUDA calls it too old, version 0.
GpuLack lack_of(cudaError_t state, int driver) {
  switch (state) {
    case cudaSuccess: return GpuLack::nothing;
    case cudaErrorInsufficientDriver: return driver == 0 ? GpuLack::no_driver : GpuLack::old_driver;
    case cudaErrorNoDevice: return GpuLack::no_gpu;
    default: return GpuLack::failed;
  }
}

class CudaModule final : public GpuModule {
public:
  GpuProbe probe() const override {
    GpuProbe probe;
    int count = 0;
    cudaRuntimeGetVersion(&probe.runtime);
    cudaDriverGetVersion(&probe.driver);
    const cudaError_t state = cudaGetDeviceCount(&count);
    probe.lack = lack_of(state, probe.driver);
    if (probe.lack != GpuLack::nothing) probe.reason = cudaGetErrorString(state);
    for (int i = 0; state == cudaSuccess && i < count; ++i) probe.gpus.push_back(gpu_with(i));
    if (probe.lack == GpuLack::nothing && count == 0) probe.lack = GpuLack::no_gpu;
    const NcclState nccl = nccl_state();
    probe.nccl = nccl.version;
    probe.nccl_reason = nccl.reason;
    return probe;
  }

  std::unique_ptr<Device> open(int gpu, bool (*stopped)()) const override { return cuda_device(gpu, stopped); }
};

}  // namespace
}  // namespace tpsim::exec::cuda

extern "C" const char* tpsim_cuda_version() { return tpsim::kVersion; }

extern "C" const tpsim::exec::GpuModule* tpsim_open_cuda() {
  static const tpsim::exec::cuda::CudaModule module;
  return &module;
}
