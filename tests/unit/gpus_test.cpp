// What is said where the CUDA backend cannot run, for every state of a machine.
#include "exec/gpus.h"

#include "cli/environment_checks.h"
#include "exec/gpu_module.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"

namespace tpsim::exec {
namespace {

GpuProbe probe_with(GpuLack lack, int gpus = 0) {
  GpuProbe probe;
  probe.lack = lack;
  probe.runtime = 13000;
  probe.driver = 12020;
  probe.nccl = 22809;
  for (int i = 0; i < gpus; ++i) probe.gpus.push_back({"NVIDIA H100", 9, 0, std::int64_t{80} << 30, 132, 1980});
  return probe;
}

std::string refusal(const GpuProbe& probe, int ranks, bool by_nccl) {
  const auto checked = check_gpus(probe, ranks, by_nccl);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().kind == ErrorKind::environment);
  CHECK(checked.error().fixes.back() == "--backend cpu");
  return checked.error().message;
}

}  // namespace

TEST_CASE("gpus: what is missing is said with the number of GPUs that are needed", "[gpus]") {
  CHECK(refusal(probe_with(GpuLack::no_module), 4, false) ==
        "--backend cuda needs 1 GPU, found 0 (this tpsim was built without CUDA)");
  CHECK(refusal(probe_with(GpuLack::no_driver), 4, true) ==
        "--comm nccl needs 4 GPUs, found 0 (no NVIDIA driver is loaded)");
  CHECK(refusal(probe_with(GpuLack::old_driver), 1, false) ==
        "--backend cuda needs 1 GPU, found 0 (the NVIDIA driver knows CUDA 12.2 at most, this tpsim needs 13.0)");
  CHECK(refusal(probe_with(GpuLack::no_gpu), 1, false) ==
        "--backend cuda needs 1 GPU, found 0 (the NVIDIA driver shows no GPU)");
  CHECK(refusal(probe_with(GpuLack::nothing, 1), 4, true) == "--comm nccl needs 4 GPUs, found 1");
}

TEST_CASE("gpus: ranks may share one; too old ones and a missing NCCL are told apart", "[gpus]") {
  CHECK(check_gpus(probe_with(GpuLack::nothing, 1), 8, false));
  CHECK(check_gpus(probe_with(GpuLack::nothing, 2), 2, true));
  GpuProbe old = probe_with(GpuLack::nothing, 1);
  old.gpus[0].major = 7;
  CHECK(refusal(old, 1, false) == "NVIDIA H100 has compute capability 7.0, --backend cuda needs 8.0");
  GpuProbe without = probe_with(GpuLack::nothing, 2);
  without.nccl.reset();
  without.nccl_reason = "libnccl.so.2: not found";
  CHECK(refusal(without, 2, true) == "--comm nccl needs NCCL: libnccl.so.2: not found");
}

TEST_CASE("gpus: a file that is no module, and one that is not there", "[gpus]") {
  CHECK(load_cuda_module(nullptr).lack == GpuLack::no_module);
  const std::string text = "README.md";
  const LoadedModule broken = load_cuda_module(&text);
  CHECK(broken.lack == GpuLack::broken_module);
  CHECK_FALSE(broken.reason.empty());
  const std::string other = "libm.so.6";
  CHECK(load_cuda_module(&other).lack == GpuLack::other_version);
}

TEST_CASE("doctor: GPUs by what the module finds, and what was never run", "[gpus]") {
  const auto states = [](const GpuProbe& probe) {
    std::string text;
    for (const auto& check : cli::gpu_checks(probe)) text += check.subject + " " + to_string(check.state) + "; ";
    return text;
  };
  GpuProbe none;
  none.lack = GpuLack::no_module;
  CHECK(states(none) == "cuda missing; gpu backend note; ");
  CHECK(states(probe_with(GpuLack::no_driver)) == "cuda ok; driver missing; gpu missing; nccl ok; gpu backend note; ");
  CHECK(states(probe_with(GpuLack::nothing, 2)) ==
        "cuda ok; driver ok; gpu 0 ok; gpu 1 ok; nccl ok; gpu backend note; ");
}

}  // namespace tpsim::exec
