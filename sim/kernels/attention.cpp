#include "sim/kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "sim/kernels/physics.h"

namespace tpsim {
namespace {

constexpr double kTransferBand = 0.35, kSpecBand = 0.5;
constexpr double kFewQueries = 8, kLongContext = 16;

bool near(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(a, b); }

GemmDevice attention_device(const Hardware& hardware) { return gemm_device(hardware, DType::bf16); }

const char* cache_name(DType cache) { return cache == DType::fp8 || cache == DType::int8 ? "fp8" : "bf16"; }

AttentionKind related(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::prefill: return AttentionKind::latent_prefill;
    case AttentionKind::decode: return AttentionKind::latent_decode;
    case AttentionKind::latent_prefill: return AttentionKind::prefill;
    case AttentionKind::latent_decode: return AttentionKind::decode;
  }
  return kind;
}

// Smaller is nearer; 0 = what was asked for.
double distance(const AttentionModel& m, const AttentionChoice& wanted) {
  double far = 0;
  if (m.kind != wanted.kind) far += m.kind == related(wanted.kind) ? 100 : 1e6;
  if (!wanted.kernel.empty() && m.kernel != wanted.kernel) far += 8;
  if (m.cache != cache_name(wanted.cache)) far += 4;
  if (m.windowed != wanted.windowed) far += 1;
  return far + std::min(2.0, std::abs(std::log2(m.key_dim / wanted.key_dim)));
}

}  // namespace

const char* to_string(ContextSplits splits) {
  switch (splits) {
    case ContextSplits::always: return "always";
    case ContextSplits::grouped: return "grouped";
    case ContextSplits::never: return "never";
  }
  return "";
}

const char* to_string(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::prefill: return "prefill";
    case AttentionKind::decode: return "decode";
    case AttentionKind::latent_prefill: return "latent_prefill";
    case AttentionKind::latent_decode: return "latent_decode";
  }
  return "";
}

bool is_decode(AttentionKind kind) { return kind == AttentionKind::decode || kind == AttentionKind::latent_decode; }

AttentionKind attention_kind(const AttentionShape& s, bool latent) {
  const bool few = s.query <= 1 || (s.query <= kFewQueries && s.context >= kLongContext * s.query);
  if (latent) return few ? AttentionKind::latent_decode : AttentionKind::latent_prefill;
  return few ? AttentionKind::decode : AttentionKind::prefill;
}

AttentionModel spec_attention_model(const Hardware& hardware, const AttentionChoice& choice) {
  AttentionModel model;
  model.kind = choice.kind;
  model.kernel = "spec";
  model.cache = cache_name(choice.cache);
  model.key_dim = choice.key_dim;
  model.windowed = choice.windowed;
  model.device = attention_device(hardware);
  model.constants.start = 3 * microseconds(hardware.kernel_floor);
  model.constants.memory_share = hardware.bandwidth_efficiency * (is_decode(choice.kind) ? 1 : 0.5);
  model.constants.compute_share = hardware.attention_efficiency * (is_decode(choice.kind) ? 0.5 : 1.2);
  model.band = {{0}, {kSpecBand}};
  model.far_band = kSpecBand;
  model.origin = "data sheet";
  return model;
}

AttentionModel attention_model(const AttentionCalibration* calibration, const Hardware& hardware,
                               const AttentionChoice& choice) {
  const AttentionModel spec = spec_attention_model(hardware, choice);
  if (calibration == nullptr || calibration->models.empty()) return spec;
  const auto nearest = std::min_element(
      calibration->models.begin(), calibration->models.end(),
      [&](const AttentionModel& a, const AttentionModel& b) { return distance(a, choice) < distance(b, choice); });
  const double far = distance(*nearest, choice);
  if (far >= 1e6) return spec;
  const bool same =
      near(nearest->device.bandwidth, spec.device.bandwidth) && near(nearest->device.flops, spec.device.flops);
  if (same && far < 1e-9) return *nearest;
  AttentionModel model = moved_to(spec.device, *nearest, kTransferBand);
  if (far >= 100) {
    model.residual = {};
    model.kind = choice.kind;
  }
  return model;
}

}  // namespace tpsim
