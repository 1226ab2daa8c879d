#include <cmath>
#include <cstdio>

#include "sim/kernel_spec.h"
#include "sim/kernel_time.h"

namespace tpsim {
namespace {

std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.*f", value < 10 ? 2 : value < 1000 ? 1 : 0, value);
  return buffer;
}
std::string text(std::int64_t value) { return std::to_string(value); }

std::string heading(const KernelCall& c) {
  const std::string name = to_string(c.kind);
  switch (c.kind) {
    case KernelKind::gemm:
    case KernelKind::batched_gemm:
      return name + " " + text(c.rows) + " x " + text(c.n) + " x " + text(c.k) + " " + to_string(c.weights);
    case KernelKind::experts:
      return name + " " + text(c.rows) + " tokens x top " + text(c.topk) + " of " + text(c.all_experts) + ", " +
             text(c.experts) + " here, " + text(c.k) + " -> " + text(c.n) + " " + to_string(c.weights);
    case KernelKind::attention:
    case KernelKind::latent_attention:
      return name + " " + text(c.sequences) + " x " + text(c.query) + " queries on " + text(c.context) + " keys, " +
             text(c.heads) + "/" + text(c.kv_heads) + " heads of " + text(c.head_dim) +
             (c.window > 0 ? ", window " + text(c.window) : "");
    case KernelKind::norm:
    case KernelKind::rope:
    case KernelKind::activation:
    case KernelKind::addition:
    case KernelKind::embedding:
    case KernelKind::routing:
    case KernelKind::copy: break;
  }
  return name + " " + text(c.rows) + " x " + text(c.n) + ", " + text(c.bytes) + " bytes";
}

std::string physics_text(double start, double compute, double memory, double physics, double us) {
  std::string line = "start " + text(start) + ", compute " + text(compute) + ", memory " + text(memory) + " -> " +
                     text(physics) + " us";
  const double factor = physics > 0 ? us / physics : 1;
  if (std::abs(factor - 1) > 0.001) line += ", x " + text(factor) + " as measured";
  return line;
}

std::string spec_text(const KernelCall& c) {
  const KernelWork work = work_of(c);
  return text(work.flops * 1e-9) + " GFLOP, " + text(work.bytes * 1e-6) + " MB";
}

}  // namespace

std::string KernelTimes::parts_text(const KernelCall& c) {
  const double us = time(c).us;
  if (c.kind == KernelKind::gemm && calibration_ && calibration_->gemm) {
    const GemmParts p = gemm_physics(gemm_shape(c), gemm_model_for(c));
    return physics_text(p.start, p.compute, p.memory, p.us, us);
  }
  if (c.kind == KernelKind::experts && calibration_ && calibration_->moe) {
    const MoeParts p = moe_physics(experts_shape(c), moe_model_for(expert_products(c), c.block_scaled));
    return physics_text(p.start, p.compute, p.memory, p.us, us);
  }
  const bool plain = c.kind == KernelKind::attention && calibration_ && calibration_->attention;
  const bool latent = c.kind == KernelKind::latent_attention && calibration_ && calibration_->mla;
  if (plain || latent) {
    const AttentionParts p = attention_physics(attention_shape(c), attention_model_for(c));
    return physics_text(p.start, p.compute, p.memory, p.us, us);
  }
  return spec_text(c);
}

std::string KernelTimes::explain(const KernelCall& c) {
  const Estimate e = time(c);
  return heading(c) + ": " + parts_text(c) + " = " + text(e.us) + " us (" + to_string(e.bound) + ", " +
         to_string(e.source) + ", +-" + text(100 * std::expm1(e.band)) + " %)";
}

}  // namespace tpsim
