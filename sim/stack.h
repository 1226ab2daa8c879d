// A serving stack as data: sim/stacks/NAME.json. What it adds to the kernels and collectives of a pass.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/estimate.h"

namespace tpsim {

struct Stack {
  std::string name = "forward";  // "vllm 0.12"
  // Host time that no kernel hides: scheduling, sampling, detokenising.
  double step_us = 0;          // per pass
  double sequence_us = 0;      // per sequence of the pass
  double rank_us = 0;          // per pass and doubling of the ranks
  // Without CUDA graphs a pass takes at least this for each kernel it launches.
  double launch_us = 0;
  bool graphs_in_prefill = false;  // else prompts are launched one kernel after the other
  double prefill_us = 0;           // host time of a pass with prompts, in place of step_us
  // Time of its kernels over that of the kernels measured for the calibration.
  double gemm_factor = 1, attention_factor = 1, small_factor = 1, experts_factor = 1, collective_factor = 1;
  std::string all_reduce;  // "vllm", "sglang", "trtllm", "nccl"; "" = the fastest
  bool fused_norm = false;   // the all-reduce's kernel does the norm that follows
  double band = 0;           // half width in ln that it adds to the band of the sum, at 90 %
  NumberSource source = NumberSource::calibrated;
  std::string origin;  // what the figures were fitted on
  bool operator==(const Stack&) const = default;
};

// By the text that names a framework in measured rows ("vLLM 0.12.0", "TensorRT-LLM 1.0.0rc3") or a stack's name with
// or without a version ("vllm", "vllm 0.12"). The nearest described version stands in for others. Errors: unknown, with
// the names there are.
Result<Stack> find_stack(std::string_view framework);
std::vector<std::string> stack_names();  // sorted

}  // namespace tpsim
