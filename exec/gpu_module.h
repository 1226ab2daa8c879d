// libtpsim_cuda.so: everything that needs CUDA, loaded when it is first asked for.
#pragma once

#include <memory>
#include <string>

#include "exec/device.h"
#include "exec/gpus.h"

namespace tpsim::exec {

class GpuModule {
public:
  virtual ~GpuModule() = default;
  virtual GpuProbe probe() const = 0;
  // The GPU with this number, for the calling thread. `stopped` ends what waits. Throws DeviceFailure with CUDA's
  // words.
  virtual std::unique_ptr<Device> open(int gpu, bool (*stopped)()) const = 0;
};

// What the module exports: a function with this name and type, and its version beside it.
inline constexpr char kOpenCuda[] = "tpsim_open_cuda";
inline constexpr char kCudaModuleVersion[] = "tpsim_cuda_version";
using OpenCuda = const GpuModule* (*)();
using CudaModuleVersion = const char* (*)();

struct LoadedModule {
  const GpuModule* module = nullptr;
  GpuLack lack = GpuLack::nothing;  // why there is none
  std::string reason;
};
const LoadedModule& cuda_module();
// From a file; null: none was found.
LoadedModule load_cuda_module(const std::string* path);

}  // namespace tpsim::exec
