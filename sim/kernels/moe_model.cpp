#include <algorithm>
#include <cmath>

#include "sim/kernels/moe.h"

#include "sim/kernels/physics.h"

namespace tpsim {
namespace {

constexpr double kColumns = 128;  // outputs of one tile
constexpr double kAligned = 16;   // features

constexpr MoeConstantField kFields[] = {
    {"start", &MoeConstants::start, 0.5, 200},
    {"compute_share", &MoeConstants::compute_share, 0.02, 2},
    {"memory_share", &MoeConstants::memory_share, 0.05, 1.5},
    {"row_overhead", &MoeConstants::row_overhead, 0.5, 200},
    {"tile_start", &MoeConstants::tile_start, 0.02, 20},
    {"sm_bandwidth", &MoeConstants::sm_bandwidth, 0.2, 30},
    {"wave", &MoeConstants::wave, 0.02, 1},
    {"overlap", &MoeConstants::overlap, 1, 8},
    {"per_pair", &MoeConstants::per_pair, 0.005, 60},
    {"per_token", &MoeConstants::per_token, 0.005, 100},
    {"foreign", &MoeConstants::foreign, 0.002, 4},
    {"per_expert", &MoeConstants::per_expert, 0.01, 20},
    {"misaligned", &MoeConstants::misaligned, 1, 20},
    {"cache_gain", &MoeConstants::cache_gain, 1, 8},
    {"cache_edge", &MoeConstants::cache_edge, 0.2, 3},
    {"cache_drop", &MoeConstants::cache_drop, 1, 15},
};

double missed(double bytes, const MoeModel& model, bool hot) {
  const MoeConstants& c = model.constants;
  if (!hot || model.device.l2 <= 0 || bytes <= 0) return 1;
  return 1 / (1 + std::pow(c.cache_edge * model.device.l2 / bytes, c.cache_drop));
}

// Rows that a tile costs beyond its own: its weights come in meanwhile, so weights that are stored narrower than those
// the kernel was measured with cost fewer.
double rows_beyond(double weight_bytes, const MoeModel& model) {
  const double measured = model.dtype == "bf16" ? 2 : 1;
  return model.constants.row_overhead * std::min(1.0, weight_bytes / measured);
}

// One grouped product in tiles of `rows` x kColumns.
double product_us(const MoeShape& s, double tiles, double rows, double n, double k, const MoeModel& model) {
  const MoeConstants& c = model.constants;
  const GemmDevice& d = model.device;
  const double blocks = tiles * std::ceil(n / kColumns);
  const double multiplying = 2 * (rows * s.unpacking + rows_beyond(s.weight_bytes, model)) * kColumns * k *
                             d.multiprocessors / (d.flops * c.compute_share);
  const double reading = kColumns * k * s.weight_bytes * d.multiprocessors / (d.bandwidth * c.sm_bandwidth);
  const double even = std::max(1.0, blocks / d.multiprocessors);
  return (even + c.wave * (std::ceil(even) - even)) * (std::max(multiplying, reading) + c.tile_start);
}

// Activations of one (token, expert) pair, read and written.
double pair_bytes(const MoeShape& s) { return 2 * (2 * s.hidden + (s.matrices + 1) * s.inter); }

double bytes_of(const MoeShape& s, const ExpertLoads& loads) {
  const double weights = loads.active * s.matrices * s.hidden * s.inter * s.weight_bytes;
  return weights + 2 * s.tokens * s.hidden * 2 + loads.pairs * pair_bytes(s);
}

}  // namespace

std::span<const MoeConstantField> moe_constant_fields() { return kFields; }

MoeParts moe_physics(const MoeShape& s, const MoeModel& model) {
  const MoeConstants& c = model.constants;
  const ExpertLoads loads = expert_loads(s);
  MoeParts parts;
  for (double rows : {16.0, 32.0, 64.0, 128.0}) {
    const double tiles = loads.tiles(rows);
    const double us = product_us(s, tiles, rows, (s.matrices - 1) * s.inter, s.hidden, model) +
                      product_us(s, tiles, rows, s.hidden, s.inter, model);
    if (rows <= 16 || us < parts.compute) parts.compute = us;
  }
  const double bytes = bytes_of(s, loads), miss = missed(bytes, model, s.hot);
  parts.start = c.start;
  parts.memory = bytes / (c.memory_share * model.device.bandwidth) * (miss + (1 - miss) / c.cache_gain);
  parts.routing = c.per_pair * loads.pairs / 1000 * s.hidden / 4096 + c.per_token * s.tokens / 1000 +
                  c.foreign * std::max(0.0, s.tokens * s.topk - loads.pairs) * pair_bytes(s) / model.device.bandwidth +
                  c.per_expert * s.experts / 100;
  if (std::fmod(s.inter, kAligned) != 0) parts.compute *= c.misaligned;
  parts.us = parts.start + joined(parts.compute, parts.memory, c.overlap) + parts.routing;
  return parts;
}

std::array<const char*, kMoeAxes> moe_axes() { return {"log2_load", "log2_active", "log2_expert"}; }

std::array<double, kMoeAxes> moe_coordinates(const MoeShape& s) {
  const ExpertLoads loads = expert_loads(s);
  const double active = std::max(loads.active, 0.5);
  return {std::log2(std::max(loads.pairs / active, 0.5)), std::log2(active), std::log2(s.hidden * s.inter)};
}

double moe_flops(const MoeShape& s) { return 2 * expert_loads(s).pairs * s.matrices * s.hidden * s.inter; }

double moe_bytes(const MoeShape& s) { return bytes_of(s, expert_loads(s)); }

Estimate moe_time(const MoeShape& s, const MoeModel& model) {
  if (!(s.tokens > 0) || !(s.topk > 0) || !(s.experts > 0) || !(s.local_experts > 0) || !(s.hidden > 0) ||
      !(s.inter > 0))
    return {0, Bound::latency, model.source, 0};
  const MoeParts parts = moe_physics(s, model);
  const std::array<double, kMoeAxes> at = moe_coordinates(s);
  const bool known = model.residual.inside(at);
  const double us = parts.us * std::exp(model.residual.at(at));
  const bool latency = parts.start + parts.routing > std::max(parts.compute, parts.memory);
  const Bound longer = parts.compute > parts.memory ? Bound::compute : Bound::memory;
  const double band = model.band.at(std::log2(us));
  const NumberSource source = known && model.source == NumberSource::calibrated ? NumberSource::measured : model.source;
  return {us, latency ? Bound::latency : longer, source, known ? band : std::max(band, model.far_band)};
}

}  // namespace tpsim
