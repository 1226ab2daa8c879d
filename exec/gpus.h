// The GPUs of this machine, as the CUDA module finds them; without the module, a driver or a GPU, what is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace tpsim::exec {

struct Gpu {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  std::int64_t memory_bytes = 0;
  int multiprocessors = 0;
  int clock_mhz = 0;
  bool operator==(const Gpu&) const = default;
};

enum class GpuLack { nothing, no_module, broken_module, other_version, no_driver, old_driver, no_gpu, failed };

struct GpuProbe {
  GpuLack lack = GpuLack::nothing;
  std::string reason;           // the loader's or CUDA's own words
  int runtime = 0, driver = 0;  // versions of CUDA as the library counts them: 13000 is 13.0; 0 = unknown
  std::vector<Gpu> gpus;
  std::optional<int> nccl;  // 22809 is 2.28.9; none: not loaded
  std::string nccl_reason;  // why
};

// Loads the module on the first call.
GpuProbe probe_gpus();

inline constexpr int kOldestCapability = 8;  // major; the module holds code for 8.0, 9.0, 10.0 and later ones

std::string cuda_version_text(int version);  // "13.0"
std::string nccl_version_text(int version);  // "2.28.9"
// "this tpsim was built without CUDA", "no NVIDIA driver is loaded", ... ; empty where nothing is missing.
std::string lack_text(const GpuProbe& probe);
// What helps, as fixes of an error.
std::vector<std::string> lack_fixes(const GpuProbe& probe);

// What `--backend cuda` needs. Errors (environment): why it cannot run here. `by_nccl`: each rank has a GPU of its own.
Result<void> check_gpus(const GpuProbe& probe, int ranks, bool by_nccl);

// What was never run on a GPU, for doctor and for whoever asks.
inline constexpr char kNotRunOnGpus[] =
    "the CUDA backend has been compiled and its kernels tested on an emulator, but never run on a GPU (docs/cuda.md)";

}  // namespace tpsim::exec
