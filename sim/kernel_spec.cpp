#include "sim/kernel_spec.h"

#include <algorithm>
#include <cmath>

namespace tpsim {
namespace {

// Fixed time in kernels' floors: attention writes the cache, runs over splits of the context and combines them; experts
// sort the routes, permute, multiply and permute back.
constexpr double kAttentionFloors = 3, kExpertFloors = 5;
// Rows of the smallest tile of a grouped product: half of one is padding on average, per expert.
constexpr double kExpertTileRows = 16;
constexpr double kSpecBand = 0.35;

double d(std::int64_t value) { return static_cast<double>(value); }
double bytes_of(DType dtype) { return element_bits(dtype) / 8.0; }

// Bytes of `count` elements of a weight, scales included.
double weight_bytes(DType dtype, std::int64_t n, std::int64_t k) {
  return static_cast<double>(storage_bytes(dtype, Shape{n, k}));
}

KernelWork gemm_work(const KernelCall& c) {
  const double flops = 2 * d(c.rows) * d(c.n) * d(c.k);
  const double passed = (d(c.rows) * d(c.k) + d(c.rows) * d(c.n)) * bytes_of(c.activations);
  return {flops, passed + weight_bytes(c.weights, c.n, c.k), 1};
}

KernelWork batched_work(const KernelCall& c) {
  KernelWork work = gemm_work(c);
  work.bytes += (d(c.experts) - 1) * weight_bytes(c.weights, c.n, c.k);
  return work;
}

KernelWork expert_work(const KernelCall& c) {
  const double ranks = c.experts > 0 ? d(c.all_experts) / d(c.experts) : 1;
  const double routes = d(c.rows) * d(c.topk) / std::max(ranks, 1.0);
  const double active = active_experts(d(c.experts), routes);
  const double padding = routes > 0 ? 1 + active * kExpertTileRows / 2 / routes : 1;
  const double weights = weight_bytes(c.weights, 2 * c.n, c.k) + weight_bytes(c.weights, c.k, c.n);
  const double passed = routes * (2 * d(c.k) + 3 * d(c.n)) * bytes_of(c.activations);
  return {6 * routes * d(c.n) * d(c.k) * padding, active * weights + passed, kExpertFloors};
}

// Keys that a query sees, summed over the queries of one sequence: c for one new token, half of the square for a
// prompt; latent caches are as wide as they are stored.
double pairs_of(const KernelCall& c) {
  const double query = d(c.query), context = d(c.context);
  const double all = c.causal && query > 1 ? query * context - query * (query - 1) / 2 : query * context;
  return c.window > 0 ? std::min(all, query * d(c.window)) : all;
}

KernelWork attention_work(const KernelCall& c) {
  const double width = d(c.head_dim + c.value_dim), sequences = d(c.sequences);
  const double reach = c.window > 0 ? std::min(d(c.context), d(c.window) + d(c.query)) : d(c.context);
  const double own = d(c.query) * (d(c.heads) * width + d(c.kv_heads) * width) * bytes_of(c.activations);
  const double cache = reach * d(c.kv_heads) * width * bytes_of(c.kv_cache);
  return {2 * sequences * pairs_of(c) * d(c.heads) * width, sequences * (own + cache), kAttentionFloors};
}

// DeepSeek's: decoding reads one latent vector of 512 + 64 per position, which all heads share.
KernelWork latent_work(const KernelCall& c) {
  constexpr double latent = 512, rope = 64;
  KernelWork work = attention_work(c);
  if (c.query > 1) return work;
  const double sequences = d(c.sequences);
  work.flops = 2 * sequences * pairs_of(c) * d(c.heads) * (2 * latent + rope);
  work.bytes = sequences * (d(c.context) * (latent + rope) * bytes_of(c.kv_cache) +
                            d(c.query) * d(c.heads) * (2 * latent + rope) * bytes_of(c.activations));
  return work;
}

double flops_per_us(const KernelCall& c, const Hardware& h) {
  const bool attends = c.kind == KernelKind::attention || c.kind == KernelKind::latent_attention;
  const double share = attends ? h.attention_efficiency : h.compute_efficiency;
  return peak_rate(h, attends ? c.activations : c.products).value * share * 1e-6;
}

}  // namespace

double active_experts(double experts, double rows) {
  if (experts <= 1) return std::min(experts, rows);
  return experts * -std::expm1(rows * std::log1p(-1 / experts));
}

KernelWork work_of(const KernelCall& c) {
  switch (c.kind) {
    case KernelKind::gemm: return gemm_work(c);
    case KernelKind::batched_gemm: return batched_work(c);
    case KernelKind::experts: return expert_work(c);
    case KernelKind::attention: return attention_work(c);
    case KernelKind::latent_attention: return latent_work(c);
    case KernelKind::norm:
    case KernelKind::rope:
    case KernelKind::activation:
    case KernelKind::addition:
    case KernelKind::embedding:
    case KernelKind::routing:
    case KernelKind::copy: break;
  }
  return {0, d(c.bytes), 1};
}

Estimate spec_estimate(const KernelCall& c, const Hardware& h) {
  const KernelWork work = work_of(c);
  const double fixed = c.joined ? 0 : work.floors * microseconds(h.kernel_floor);
  const double bytes_us = work.bytes / (h.memory_bandwidth.value * h.bandwidth_efficiency * 1e-6);
  const double flops_us = work.flops > 0 ? work.flops / flops_per_us(c, h) : 0;
  const double moving = std::max(flops_us, bytes_us);
  const Bound bound = fixed > moving ? Bound::latency : flops_us > bytes_us ? Bound::compute : Bound::memory;
  return {fixed + moving, bound, h.source, kSpecBand};
}

}  // namespace tpsim
