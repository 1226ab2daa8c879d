// A serving stack as data: sim/stacks/NAME.json. What it adds to the kernels and collectives of a pass.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/value.h"
#include "sim/estimate.h"

namespace tpsim {

struct Stack {
  std::string name = "forward";  // "vllm 0.12"
  // Host time that no kernel hides: scheduling, sampling, detokenising.
  double step_us = 0;      // per pass; training: of a micro-batch through a stage and back
  double sequence_us = 0;  // per sequence of the pass
  double rank_us = 0;      // per pass and doubling of the ranks
  // Without CUDA graphs a pass takes at least this for each kernel it launches.
  double launch_us = 0;
  bool graphs_in_prefill = false;  // else prompts are launched one kernel after the other
  double prefill_us = 0;           // more host time of a pass with prompts
  double prompt_share = 1;         // of the work on prompts that decoding sequences wait for (0: other GPUs do it)
  // Time between two kernels: an executor that waits for each. Added for every kernel.
  double operation_us = 0;
  bool fuses = true;  // joins small operations into one kernel; else each is a kernel of its own
  // Time of its kernels over that of the kernels measured for the calibration.
  double gemm_factor = 1, wide_gemm_factor = 1;  // products of few rows, which read weights; of many, which compute
  double attention_factor = 1, prompt_attention_factor = 1;  // one query per sequence; many
  double experts_factor = 1, wide_experts_factor = 1;        // few tokens for each expert; many
  double small_factor = 1, collective_factor = 1;
  std::string all_reduce;      // "vllm", "sglang", "trtllm", "nccl"; "" = the fastest
  bool static_scales = false;  // fp8 inputs are quantised where they are made, with scales known beforehand
  double band = 0;             // half width in ln at 90 % of runs whose kernels are known as well as `kernel_band`
  double kernel_band = 0;      // half width of the kernels' sum in the runs that `band` comes from
  NumberSource source = NumberSource::calibrated;
  std::string origin;  // what the figures were fitted on
  bool operator==(const Stack&) const = default;
};

// Half width of a pass whose kernels' sum has the half width `kernels`: runs that the stack was judged on had some of
// it.
double pass_band(double kernels, const Stack& stack);
// Half width of a ratio of two times on one GPU with one stack, which share most of their errors.
double ratio_band(double first, double second);

// By the text that names a framework in measured rows ("vLLM 0.12.0", "TensorRT-LLM 1.0.0rc3") or a stack's name with
// or without a version ("vllm", "vllm 0.12"). The nearest described version stands in for others. Errors: unknown, with
// the names there are.
// `hardware`: name of its profile, for stacks that run otherwise there.
Result<Stack> find_stack(std::string_view framework, std::string_view hardware = {});
// A stack's name with a version ("vllm 0.12"), or without one for the newest ("vllm").
Result<Stack> stack_named(const std::string& name, std::string_view hardware = {});
std::vector<std::string> stack_names();  // sorted

// The data file as it is, for fits: which of its entries holds for a framework.
struct StackEntry {
  std::string below;         // version that ends its range, "" = none
  std::string contains;      // holds for frameworks with this text, whatever their version; "" = no such rule
  bool unversioned = false;  // holds for frameworks that name no version
  std::string hardware;      // holds on this hardware only, before all others; "" = on any
  Stack stack;
};
struct StackFile {
  std::string name;
  std::vector<std::string> match;  // parts of framework names, in lower case
  std::vector<StackEntry> entries;
};
Result<std::vector<StackFile>> read_stack_files();
struct StackPlace {
  std::size_t file = 0, entry = 0;
};
std::optional<StackPlace> find_entry(const std::vector<StackFile>& files, std::string_view framework,
                                     std::string_view hardware = {});
std::string to_json(const StackFile& file);
// One entry by itself, as a profile holds it.
Result<Stack> read_stack_entry(const Value& value, const std::string& file, const std::string& name);
std::string to_json(const Stack& stack);

}  // namespace tpsim
