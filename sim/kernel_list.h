// Which kernels an optimised stack runs for the operations of a trace.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "sim/kernel.h"

namespace tpsim {

// Element types as kernels see them.
struct Precision {
  DType linear = DType::bf16, experts = DType::bf16, head = DType::bf16, activations = DType::bf16,
        kv_cache = DType::bf16;
  bool block_scaled = false;       // fp8 with a scale per block of 128 (DeepSeek's), not per token and channel
  bool static_scales = false;      // fp8 with scales known beforehand, applied where the inputs are made
  bool four_bit_products = false;  // 4-bit weights meet 4-bit inputs (NVFP4), else they are unpacked first
  bool operator==(const Precision&) const = default;
};
Precision precision_of(const Workload& workload);

// Sequences that attend alike: `query` new tokens each, over `context` keys.
struct AttentionGroup {
  std::int64_t sequences = 1, query = 1, context = 1;
  bool operator==(const AttentionGroup&) const = default;
};

// What one pass works on. A pass may mix prompts and decoding sequences; the operations' sizes are then those of the
// Analysis, scaled by the rows.
struct Load {
  std::int64_t rows = 0;       // tokens that enter the layers
  std::int64_t head_rows = 0;  // tokens that enter the head
  std::vector<AttentionGroup> groups;
  bool causal = true;
  // Ranks that share the experts out among them, where the plan of the Analysis cuts each of them.
  int expert_split = 1;
  // All-reduces beside those of the Analysis, and the bytes of each.
  double extra_all_reduces = 0;
  std::int64_t extra_bytes = 0;
};
Load load_of(const Workload& workload);

// Matrix products of one input: alike in rows and input features, side by side in one module.
bool same_input(const Operation& a, const Operation& b);

struct Kernel {
  KernelCall call;
  int first = 0;  // of its operations
};

struct KernelList {
  std::vector<Kernel> kernels;
  std::vector<int> kernel_of;  // for each operation; -1 = takes no time of its own
};

// What the list needs to know beside the trace.
struct TraceSetting {
  const Workload& workload;  // of the Analysis
  const Load& load;
  const Precision& precision;
  int expert_ranks = 1;       // ranks that the experts are spread over
  bool norm_follows = false;  // the next trace begins with a norm, which takes a trailing addition in
  bool is_head = false;       // behind the layers
  bool fuses = true;          // small operations share a kernel, and so do products of one input
};

// Operations that share a kernel in every optimised stack are one kernel:
//   - matrix products of one input (q, k, v; gate, up)
//   - consecutive norms, ropes, elementwise operations, softmaxes and copies (silu * mul, add + norm); what passes
//     between them in registers is not counted as bytes
//   - the grouped products of the experts, and the selection before them
// `out` is overwritten; its memory is used again.
void list_kernels(const Trace& trace, const TraceSetting& setting, KernelList& out);

}  // namespace tpsim
