#include "sim/kernel.h"

#include <initializer_list>

namespace tpsim {

const char* to_string(KernelKind kind) {
  switch (kind) {
    case KernelKind::gemm: return "gemm";
    case KernelKind::batched_gemm: return "batched_gemm";
    case KernelKind::experts: return "experts";
    case KernelKind::attention: return "attention";
    case KernelKind::latent_attention: return "latent_attention";
    case KernelKind::norm: return "norm";
    case KernelKind::rope: return "rope";
    case KernelKind::activation: return "activation";
    case KernelKind::addition: return "addition";
    case KernelKind::embedding: return "embedding";
    case KernelKind::routing: return "routing";
    case KernelKind::copy: return "copy";
  }
  return "";
}

std::size_t KernelHash::operator()(const KernelCall& c) const {
  const auto types = static_cast<std::int64_t>(c.kind) | static_cast<std::int64_t>(c.weights) << 8 |
                     static_cast<std::int64_t>(c.activations) << 16 | static_cast<std::int64_t>(c.kv_cache) << 24 |
                     static_cast<std::int64_t>(c.joined) << 32 | static_cast<std::int64_t>(c.hot) << 33 |
                     static_cast<std::int64_t>(c.causal) << 34 | static_cast<std::int64_t>(c.block_scaled) << 35 |
                     static_cast<std::int64_t>(c.static_scales) << 36 | static_cast<std::int64_t>(c.products) << 40;
  std::uint64_t hash = 0;
  for (const std::int64_t word : {types, c.rows, c.n, c.k, c.experts, c.all_experts, c.topk, c.sequences, c.query,
                                  c.context, c.window, c.heads, c.kv_heads, c.head_dim, c.value_dim, c.bytes}) {
    hash = (hash ^ static_cast<std::uint64_t>(word)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

}  // namespace tpsim
