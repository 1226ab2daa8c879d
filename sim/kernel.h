// What a GPU runs: one kernel (or a fixed group of kernels) with the sizes that decide its time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace tpsim {

enum class KernelKind {
  gemm,              // rows x k times k x n
  batched_gemm,      // the same for each of `experts` matrices, all of them used
  experts,           // routed experts of one layer: permute, two grouped products, combine
  attention,         // new keys and values into the cache, attention over it
  latent_attention,  // the same over a latent cache (MLA)
  norm,
  rope,
  activation,  // one or two inputs of a width, one output
  addition,
  embedding,
  routing,  // softmax and top-k of the router's scores
  copy,     // anything else that only moves bytes
};
const char* to_string(KernelKind kind);

// Fields that a kind has no use for stay 0, so that equal kernels are equal.
struct KernelCall {
  KernelKind kind = KernelKind::copy;
  DType weights = DType::bf16, activations = DType::bf16, kv_cache = DType::bf16;  // as stored
  DType products = DType::bf16;                                                    // what the tensor cores multiply
  bool block_scaled = false;                                                       // fp8 with a scale per block
  bool static_scales = false;  // fp8 inputs come quantised from the kernel before
  bool joined = false;         // runs inside a neighbour's kernel: only its bytes count
  bool hot = false;            // its operands lie in the L2 cache, as in loops over one buffer
  bool causal = true;          // attention
  std::int64_t rows = 0, n = 0, k = 0;
  std::int64_t experts = 0;      // held by the rank
  std::int64_t all_experts = 0;  // of the layer
  std::int64_t topk = 0;
  std::int64_t sequences = 0, query = 0, context = 0, window = 0, heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  std::int64_t bytes = 0;  // small kernels: read and written
  bool operator==(const KernelCall&) const = default;
};

struct KernelHash {
  std::size_t operator()(const KernelCall& call) const;
};

}  // namespace tpsim
