#include "exec/gpu_module.h"

#include <dlfcn.h>

#include <string_view>

#include "core/version.h"
#include "exec/program_folder.h"

namespace tpsim::exec {
namespace {

constexpr char kModule[] = "libtpsim_cuda.so";

LoadedModule unusable(GpuLack lack, std::string reason = {}) { return {nullptr, lack, std::move(reason)}; }

}  // namespace

LoadedModule load_cuda_module(const std::string* path) {
  if (path == nullptr) return unusable(GpuLack::no_module);
  void* library = dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unusable(GpuLack::broken_module, dlerror());
  const auto version = reinterpret_cast<CudaModuleVersion>(dlsym(library, kCudaModuleVersion));
  const auto open = reinterpret_cast<OpenCuda>(dlsym(library, kOpenCuda));
  if (version == nullptr || open == nullptr || std::string_view(version()) != kVersion)
    return unusable(GpuLack::other_version);
  return {open(), GpuLack::nothing, {}};
}

const LoadedModule& cuda_module() {
  static const LoadedModule loaded = [] {
    const auto path = beside_program({kModule, std::string("../lib/tpsim/") + kModule});
    return load_cuda_module(path ? &*path : nullptr);
  }();
  return loaded;
}

}  // namespace tpsim::exec
