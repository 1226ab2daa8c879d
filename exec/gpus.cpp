#include "exec/gpus.h"

#include <algorithm>

#include "exec/gpu_module.h"

namespace tpsim::exec {
namespace {

std::string count_text(int gpus) { return std::to_string(gpus) + (gpus == 1 ? " GPU" : " GPUs"); }

Error lacking(std::string message, std::vector<std::string> fixes) {
  Error error{ErrorKind::environment, {}, std::move(message), {}, {}, std::move(fixes)};
  error.fixes.push_back("--backend cpu");
  error.details.push_back("tpsim doctor says what this machine has");
  return error;
}

const Gpu* too_old(const GpuProbe& probe) {
  const auto old =
      std::find_if(probe.gpus.begin(), probe.gpus.end(), [](const Gpu& g) { return g.major < kOldestCapability; });
  return old == probe.gpus.end() ? nullptr : &*old;
}

}  // namespace

GpuProbe probe_gpus() {
  const LoadedModule& loaded = cuda_module();
  if (loaded.module != nullptr) return loaded.module->probe();
  GpuProbe probe;
  probe.lack = loaded.lack;
  probe.reason = loaded.reason;
  return probe;
}

std::string cuda_version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string nccl_version_text(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

std::string lack_text(const GpuProbe& probe) {
  switch (probe.lack) {
    case GpuLack::nothing: return {};
    case GpuLack::no_module: return "this tpsim was built without CUDA";
    case GpuLack::broken_module: return "the CUDA module cannot be loaded: " + probe.reason;
    case GpuLack::other_version: return "the CUDA module belongs to another version of tpsim";
    case GpuLack::no_driver: return "no NVIDIA driver is loaded";
    case GpuLack::old_driver:
      return "the NVIDIA driver knows CUDA " + cuda_version_text(probe.driver) + " at most, this tpsim needs " +
             cuda_version_text(probe.runtime);
    case GpuLack::no_gpu: return "the NVIDIA driver shows no GPU";
    case GpuLack::failed: return "CUDA does not start: " + probe.reason;
  }
  return {};
}

std::vector<std::string> lack_fixes(const GpuProbe& probe) {
  switch (probe.lack) {
    case GpuLack::nothing: return {};
    case GpuLack::no_module: return {"build tpsim where the CUDA toolkit is installed (nvcc)"};
    case GpuLack::broken_module: return {"install the libraries of the CUDA toolkit that tpsim was built with"};
    case GpuLack::other_version: return {"install tpsim and libtpsim_cuda.so of the same build"};
    case GpuLack::no_driver: return {"install the NVIDIA driver (nvidia-smi shows whether it runs)"};
    case GpuLack::old_driver:
      return {"install a driver for CUDA " + cuda_version_text(probe.runtime) + ", or build tpsim with CUDA " +
              cuda_version_text(probe.driver)};
    case GpuLack::no_gpu: return {"unset CUDA_VISIBLE_DEVICES, or run where a GPU is"};
    case GpuLack::failed: return {"nvidia-smi shows the state of the GPUs"};
  }
  return {};
}

Result<void> check_gpus(const GpuProbe& probe, int ranks, bool by_nccl) {
  const int needed = by_nccl ? ranks : 1, found = static_cast<int>(probe.gpus.size());
  const std::string needs = std::string(by_nccl ? "--comm nccl" : "--backend cuda") + " needs " + count_text(needed);
  if (probe.lack != GpuLack::nothing) return lacking(needs + ", found 0 (" + lack_text(probe) + ")", lack_fixes(probe));
  if (const Gpu* old = too_old(probe))
    return lacking(old->name + " has compute capability " + std::to_string(old->major) + "." +
                       std::to_string(old->minor) + ", --backend cuda needs " + std::to_string(kOldestCapability) +
                       ".0",
                   {"CUDA_VISIBLE_DEVICES=N with the number of a newer GPU"});
  if (found < needed)
    return lacking(needs + ", found " + std::to_string(found),
                   {"--comm threads: the ranks share a GPU, for the numbers and each rank's own compute",
                    "--tp " + std::to_string(found)});
  if (by_nccl && !probe.nccl)
    return lacking("--comm nccl needs NCCL: " + probe.nccl_reason, {"install libnccl.so.2 (NCCL 2.18 or later)"});
  return {};
}

}  // namespace tpsim::exec
