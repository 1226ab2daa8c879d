#include "sim/kernel_time.h"

#include <algorithm>
#include <cmath>

#include "sim/kernel_spec.h"

namespace tpsim {
namespace {

double d(std::int64_t value) { return static_cast<double>(value); }

// Stored bytes of one element of a weight, scales included; 0 where it is stored as it is multiplied.
double stored_bytes(const KernelCall& c) {
  if (c.weights == c.products || c.n <= 0 || c.k <= 0) return 0;
  return d(storage_bytes(c.weights, Shape{c.n, c.k})) / (d(c.n) * d(c.k));
}

ElementwiseOp operation_of(const KernelCall& c) {
  switch (c.kind) {
    case KernelKind::norm: return ElementwiseOp::rmsnorm;
    case KernelKind::rope: return ElementwiseOp::rope;
    case KernelKind::activation: {
      // One input and one output of a width, or two inputs.
      const double element = element_bits(c.activations) / 8.0;
      const double per_output = c.rows > 0 && c.n > 0 ? d(c.bytes) / (d(c.rows) * d(c.n) * element) : 0;
      return per_output > 2.5 ? ElementwiseOp::silu_mul : ElementwiseOp::gelu;
    }
    case KernelKind::embedding: return ElementwiseOp::embedding;
    case KernelKind::gemm:
    case KernelKind::batched_gemm:
    case KernelKind::experts:
    case KernelKind::attention:
    case KernelKind::latent_attention:
    case KernelKind::addition:
    case KernelKind::routing:
    case KernelKind::copy: break;
  }
  return ElementwiseOp::add;
}

// DeepSeek's: one latent vector of 512 + 64 per position, which all heads share once absorbed; prompts expand it.
constexpr double kLatent = 512, kLatentRope = 64;

bool same_device(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(a, b); }

}  // namespace

GemmShape gemm_shape(const KernelCall& c) {
  GemmShape shape;
  shape.m = d(c.rows);
  shape.n = d(c.n);
  shape.k = d(c.k);
  shape.weight_bytes = stored_bytes(c);
  return shape;
}

AttentionShape attention_shape(const KernelCall& c) {
  const bool latent = c.kind == KernelKind::latent_attention;
  const double element = element_bits(c.kv_cache) / 8.0;
  AttentionShape s;
  s.sequences = d(c.sequences);
  s.query = d(c.query);
  s.context = d(c.context);
  s.heads = d(c.heads);
  s.kv_heads = d(c.kv_heads);
  s.key_dim = d(c.head_dim);
  s.value_dim = d(c.value_dim);
  s.kv_bytes = (s.key_dim + s.value_dim) * element;
  s.window = d(c.window);
  s.causal = c.causal;
  s.hot = c.hot;
  if (latent && is_decode(attention_kind(s, true))) {
    s.kv_heads = 1;
    s.key_dim = kLatent + kLatentRope;
    s.value_dim = kLatent;
    s.kv_bytes = (kLatent + kLatentRope) * element;
  }
  return s;
}

KernelTimes::KernelTimes(const Hardware& hardware) : hardware_(hardware), calibration_(calibration_of(hardware)) {
  const bool measured = calibration_ && calibration_->collectives;
  network_ = network_of(hardware_, measured ? &*calibration_->collectives : nullptr);
}

const GemmModel& KernelTimes::gemm_model_for(const KernelCall& c) {
  const DType products = c.products;
  const auto [it, fresh] = gemm_.try_emplace({products, c.block_scaled, c.static_scales});
  if (!fresh) return it->second;
  const bool fitted = calibration_ && calibration_->gemm;
  it->second = gemm_model(fitted ? &*calibration_->gemm : nullptr, hardware_, products, c.block_scaled);
  const GemmDevice own = gemm_device(hardware_, products);
  const GemmDevice& theirs = it->second.device;
  const bool same =
      same_device(own.bandwidth, theirs.bandwidth) && same_device(own.multiprocessors, theirs.multiprocessors);
  if (fitted && !same && !hardware_.own_profile) it->second = transferred(it->second, own);
  if (c.static_scales) it->second.quantises = false;
  return it->second;
}

const ElementwiseModel& KernelTimes::elementwise_model_for(ElementwiseOp op) {
  const auto [it, fresh] = elementwise_.try_emplace(op);
  if (!fresh) return it->second;
  const bool fitted = calibration_ && calibration_->elementwise;
  it->second = elementwise_model(fitted ? &*calibration_->elementwise : nullptr, hardware_, op);
  const double bandwidth = hardware_.memory_bandwidth.value * 1e-6;
  if (fitted && !same_device(bandwidth, it->second.bandwidth) && !hardware_.own_profile) {
    it->second.bandwidth = bandwidth;
    it->second.multiprocessors = hardware_.multiprocessors;
    it->second.source = NumberSource::transferred;
  }
  return it->second;
}

Estimate KernelTimes::gemm(const KernelCall& c) { return gemm_time(gemm_shape(c), gemm_model_for(c)); }

// A kernel that runs inside a neighbour's takes what its bytes add to that one.
Estimate KernelTimes::small(const KernelCall& c) {
  const ElementwiseModel& model = elementwise_model_for(operation_of(c));
  ElementwiseShape shape{d(c.rows), d(c.n), d(c.bytes), c.hot};
  Estimate estimate = elementwise_time(shape, model);
  if (!c.joined) return estimate;
  shape.bytes = 0;
  estimate.us = std::max(0.0, estimate.us - elementwise_time(shape, model).us);
  return estimate;
}

const AttentionModel& KernelTimes::attention_model_for(const AttentionChoice& choice) {
  const auto [it, fresh] =
      attention_.try_emplace({choice.kind, choice.cache, static_cast<std::int64_t>(choice.key_dim), choice.windowed});
  if (!fresh) return it->second;
  const bool latent = choice.kind == AttentionKind::latent_prefill || choice.kind == AttentionKind::latent_decode;
  const auto* const set = !calibration_                        ? nullptr
                          : latent && calibration_->mla        ? &*calibration_->mla
                          : !latent && calibration_->attention ? &*calibration_->attention
                                                               : nullptr;
  it->second = attention_model(set, hardware_, choice);
  const GemmDevice own = gemm_device(hardware_, DType::bf16);
  if (set != nullptr && !same_device(own.bandwidth, it->second.device.bandwidth) && !hardware_.own_profile) {
    it->second.device = own;
    it->second.source = NumberSource::transferred;
  }
  return it->second;
}

const AttentionModel& KernelTimes::attention_model_for(const KernelCall& c) {
  const AttentionShape shape = attention_shape(c);
  AttentionChoice choice;
  choice.kind = attention_kind(shape, c.kind == KernelKind::latent_attention);
  choice.cache = c.kv_cache;
  choice.key_dim = shape.key_dim;
  choice.windowed = c.window > 0;
  return attention_model_for(choice);
}

Estimate KernelTimes::attention(const KernelCall& c) {
  return attention_time(attention_shape(c), attention_model_for(c));
}

// Stacks pad experts' widths to whole tiles.
constexpr std::int64_t kExpertPadding = 128;

// Tokens pick experts at random; where the experts are spread over ranks, the slowest rank is waited for.
MoeShape moe_shape(const KernelCall& c) {
  MoeShape s;
  s.tokens = d(c.rows);
  s.hidden = d(c.k);
  s.inter = d((c.n + kExpertPadding - 1) / kExpertPadding * kExpertPadding);
  s.topk = d(c.topk);
  s.experts = d(c.all_experts);
  s.local_experts = d(c.experts);
  s.routing = Routing::random;
  s.weight_bytes = c.n > 0 && c.k > 0 ? d(storage_bytes(c.weights, Shape{c.n, c.k})) / (d(c.n) * d(c.k)) : 2;
  s.hot = c.hot;
  const double ranks = c.experts > 0 ? s.experts / s.local_experts : 1;
  if (ranks > 1) s.imbalance = expert_imbalance(s.tokens, s.experts, s.topk, ranks, s.routing);
  return s;
}

const MoeModel& KernelTimes::moe_model_for(DType products, bool block_scaled) {
  const auto [it, fresh] = experts_.try_emplace({products, block_scaled});
  if (!fresh) return it->second;
  const bool fitted = calibration_ && calibration_->moe;
  it->second = moe_model(fitted ? &*calibration_->moe : nullptr, hardware_, {products, block_scaled, false, {}});
  const GemmDevice own = gemm_device(hardware_, products);
  if (fitted && !same_device(own.bandwidth, it->second.device.bandwidth) && !hardware_.own_profile) {
    it->second.device = own;
    it->second.source = NumberSource::transferred;
  }
  return it->second;
}

// Tensor cores with 4-bit floats multiply MXFP4 weights by MXFP8 inputs, at the rate of fp8; others unpack the weights.
DType KernelTimes::expert_products(const KernelCall& c) const {
  const bool mixed = c.weights == DType::mxfp4 && hardware_.peak.contains(DType::mxfp4);
  return mixed && element_bits(c.products) == 16 ? DType::fp8 : c.products;
}

// Kernels that unpack MXFP4 take about twice as long for the same products: end-to-end rows of gpt-oss on H100 and
// H200.
constexpr double kUnpacking = 2;

MoeShape KernelTimes::experts_shape(const KernelCall& c) const {
  MoeShape shape = moe_shape(c);
  if (c.weights == DType::mxfp4 && element_bits(expert_products(c)) == 16) shape.unpacking = kUnpacking;
  return shape;
}

Estimate KernelTimes::experts(const KernelCall& c) {
  return moe_time(experts_shape(c), moe_model_for(expert_products(c), c.block_scaled));
}

Estimate KernelTimes::time(const KernelCall& c) {
  switch (c.kind) {
    case KernelKind::gemm:
      if (calibration_ && calibration_->gemm) return gemm(c);
      break;
    case KernelKind::norm:
    case KernelKind::rope:
    case KernelKind::activation:
    case KernelKind::addition:
    case KernelKind::embedding:
    case KernelKind::copy:
      if (calibration_ && calibration_->elementwise) return small(c);
      break;
    case KernelKind::attention:
      if (calibration_ && calibration_->attention && c.sequences > 0 && c.query > 0) return attention(c);
      break;
    case KernelKind::latent_attention:
      if (calibration_ && calibration_->mla && c.sequences > 0 && c.query > 0) return attention(c);
      break;
    case KernelKind::experts:
      if (calibration_ && calibration_->moe && c.rows > 0) return experts(c);
      break;
    case KernelKind::routing:  // measured with the experts
      if (calibration_ && calibration_->moe) return {0, Bound::latency, NumberSource::calibrated, 0};
      break;
    case KernelKind::batched_gemm: break;
  }
  return spec_estimate(c, hardware_);
}

}  // namespace tpsim
