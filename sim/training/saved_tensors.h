// What a forward pass keeps in memory for the backward pass: the tensors whose values the gradients need.
#pragma once

#include <cstdint>

#include "core/analysis.h"

namespace tpsim {

// What is thrown away in the forward pass and computed again in the backward pass.
enum class Recompute {
  none,
  selective,  // the attention core: scores, softmax and their dropout (Korthikanti et al., arXiv 2205.05198)
  full,       // everything but each layer's input
};
const char* to_string(Recompute recompute);

struct SavedTensorOptions {
  Recompute recompute = Recompute::none;
  bool flash_attention = true;   // no [heads, queries, keys] tensors; one fp32 statistic per head and query instead
  bool fused_activation = true;  // a gated activation is one kernel: gate and up are kept, their product's factors not
  bool dropout = false;          // one byte per element for each mask: after both blocks of a layer, and on the scores
};

// Bytes on rank 0 that one pass of the trace keeps. Per operation: a product keeps its input (one copy where several
// read it), a norm its input, attention its queries, keys, values and output, an activation or a product of two tensors
// its inputs; an addition, a rotation and a copy keep nothing. A tensor gathered from sequence shards is gathered again
// in the backward pass, so only the shard is kept. With full recomputation: the trace's input.
std::int64_t saved_bytes(const Trace& trace, const Workload& workload, const SavedTensorOptions& options);

}  // namespace tpsim
