#include "sim/kernels/gemm.h"

#include <algorithm>
#include <cmath>

namespace tpsim {
namespace {

struct Tile {
  double m, n;
  double GemmConstants::*share;  // nullptr: the tile that others are measured against
};
constexpr Tile kTiles[] = {
    {64, 64, &GemmConstants::tile_64},
    {64, 128, &GemmConstants::tile_mixed},
    {128, 64, &GemmConstants::tile_mixed},
    {128, 128, &GemmConstants::tile_128},
    {128, 192, &GemmConstants::tile_192},
    {192, 128, &GemmConstants::tile_192},
    {128, 256, nullptr},
    {256, 128, nullptr},
};
constexpr double kFullTile = 128 * 256;
constexpr double kSplits[] = {1, 2, 3, 4, 6, 8, 12, 16};
constexpr double kDepth = 64;       // of one step along k
constexpr int kMeasuredRows = 300;  // from which the residual is the device's own
constexpr double kOutputBytes = 2, kInputBytes = 2;

double fastest_split(const Tile& tile, const GemmShape& s, const GemmModel& model) {
  const GemmConstants& c = model.constants;
  const GemmDevice& d = model.device;
  const double area = tile.m * tile.n;
  const double share = tile.share == nullptr ? 1 : c.*tile.share;
  const double flops_us = 2 * area / (d.flops * c.compute_share * share / d.multiprocessors);
  const double rows = std::min(tile.m, 8 * std::ceil(s.m / 8));
  const double bytes_us = (rows + tile.n) * model.operand_bytes / (c.sm_bandwidth * d.bandwidth / d.multiprocessors);
  const double step_us = std::max(flops_us, bytes_us) * kDepth;
  const double epilogue_us = c.epilogue * area / kFullTile;
  const double tiles = std::ceil(s.m / tile.m) * std::ceil(s.n / tile.n);
  const double steps = std::ceil(s.k / kDepth);
  const double split_us = 8 * s.m * s.n / (c.split_bandwidth * d.bandwidth);
  double best = 0;
  for (double split : kSplits) {
    if (split > 1 && tiles >= d.multiprocessors) break;
    const double waves = tiles * split / d.multiprocessors;
    const double least = std::max(waves, 1.0);
    const double depth = std::ceil(steps / split);
    const double taken = least + c.wave * (std::ceil(waves) - least);
    const double us = taken * (depth * step_us + epilogue_us) + (split > 1 ? c.split_start + split * split_us : 0);
    if (split == 1 || us < best) best = us;
    if (depth <= 1) break;
  }
  return best;
}

// Soft minimum: several shapes that do well are better than one.
double tiled_us(const GemmShape& s, const GemmModel& model) {
  std::array<double, std::size(kTiles)> us;
  for (std::size_t i = 0; i < us.size(); ++i) us[i] = fastest_split(kTiles[i], s, model);
  const double least = *std::min_element(us.begin(), us.end());
  double sum = 0;
  for (double t : us) sum += std::exp2(-model.constants.tile_choice * std::log2(t / least));
  return least * std::exp2(-std::log2(sum) / model.constants.tile_choice);
}

// Share of the bytes that memory delivers; the rest comes from L2.
double missed(const GemmShape& s, double weights, const GemmModel& model) {
  if (s.copies <= 0 || model.device.l2 <= 0) return 1;
  const double passed = kInputBytes * s.m * s.k + kOutputBytes * s.m * s.n;
  const double set = (s.copies * weights + passed) / model.device.l2;
  return 1 / (1 + std::pow(model.constants.cache_edge / set, model.constants.cache_drop));
}

double stored_weights(const GemmShape& s, const GemmModel& model) {
  return s.n * s.k * (s.weight_bytes > 0 ? s.weight_bytes : model.operand_bytes);
}

double moved_bytes(const GemmShape& s, const GemmModel& model) {
  return stored_weights(s, model) + model.operand_bytes * s.m * s.k + kOutputBytes * s.m * s.n;
}

double memory_us(const GemmShape& s, const GemmModel& model) {
  const GemmConstants& c = model.constants;
  const double miss = missed(s, stored_weights(s, model), model);
  return moved_bytes(s, model) / (model.device.bandwidth * c.memory_share) * (miss + (1 - miss) / c.cache_gain);
}

double quantise_us(const GemmShape& s, const GemmModel& model) {
  if (!model.quantises || s.quantised) return 0;
  const GemmConstants& c = model.constants;
  const double bytes = (kInputBytes + model.operand_bytes) * s.m * s.k;
  return c.quantise_start + std::max(bytes / (c.quantise_share * model.device.bandwidth), c.quantise_row * s.k / 1024);
}

// At the data sheet's rates: residuals of warm caches must not carry cold products beyond them.
double least_us(const GemmShape& s, const GemmModel& model) {
  if (s.copies > 0) return 0;
  return std::max(2 * s.m * s.n * s.k / model.device.flops, moved_bytes(s, model) / model.device.bandwidth);
}

std::array<double, 3> coordinates(const GemmShape& s) {
  return {std::log2(std::max(s.m, 1.0)), std::log2(std::max(s.n, 1.0)), std::log2(std::max(s.k, 1.0))};
}

Bound bound_of(const GemmParts& parts) {
  const double fixed = parts.start + parts.quantise;
  if (fixed > parts.compute && fixed > parts.memory) return Bound::latency;
  return parts.compute > parts.memory ? Bound::compute : Bound::memory;
}

// Kernels that convert stored weights on the way are other kernels than the measured ones.
NumberSource source_of(const GemmModel& model, bool inside, bool converts) {
  if (model.source != NumberSource::calibrated) return model.source;
  if (converts) return NumberSource::transferred;
  return inside && model.rows >= kMeasuredRows ? NumberSource::measured : model.source;
}

constexpr GemmConstantField kFields[] = {
    {"start", &GemmConstants::start, 0.2, 20, false},
    {"memory_share", &GemmConstants::memory_share, 0.2, 1, false},
    {"compute_share", &GemmConstants::compute_share, 0.05, 1.6, false},
    {"tile_64", &GemmConstants::tile_64, 0.1, 1, false},
    {"tile_mixed", &GemmConstants::tile_mixed, 0.2, 1, false},
    {"tile_128", &GemmConstants::tile_128, 0.3, 1, false},
    {"tile_192", &GemmConstants::tile_192, 0.3, 1, false},
    {"tile_choice", &GemmConstants::tile_choice, 2, 40, false},
    {"wave", &GemmConstants::wave, 0.01, 1, false},
    {"sm_bandwidth", &GemmConstants::sm_bandwidth, 1, 30, false},
    {"epilogue", &GemmConstants::epilogue, 0.1, 20, false},
    {"split_start", &GemmConstants::split_start, 0.2, 60, false},
    {"split_bandwidth", &GemmConstants::split_bandwidth, 0.3, 40, false},
    {"overlap", &GemmConstants::overlap, 1, 16, false},
    {"power", &GemmConstants::power, 0.001, 1, false},
    {"cache_gain", &GemmConstants::cache_gain, 1, 6, false},
    {"cache_edge", &GemmConstants::cache_edge, 0.3, 3, false},
    {"cache_drop", &GemmConstants::cache_drop, 0.7, 12, false},
    {"quantise_start", &GemmConstants::quantise_start, 0.01, 20, true},
    {"quantise_share", &GemmConstants::quantise_share, 0.05, 3, true},
    {"quantise_row", &GemmConstants::quantise_row, 0.001, 3, true},
};

}  // namespace

std::span<const GemmConstantField> gemm_constant_fields() { return kFields; }

GemmParts gemm_physics(const GemmShape& s, const GemmModel& model) {
  const GemmConstants& c = model.constants;
  GemmParts parts{c.start, tiled_us(s, model), memory_us(s, model), quantise_us(s, model), 0};
  const double longer = std::max(parts.compute, parts.memory), shorter = std::min(parts.compute, parts.memory);
  const double joined = longer * std::pow(1 + std::pow(shorter / longer, c.overlap), 1 / c.overlap);
  const double cool = c.start + joined;
  const double utilisation = 2 * s.m * s.n * s.k / (model.device.flops * c.compute_share * cool);
  parts.us = cool * (1 + c.power * utilisation * utilisation) + parts.quantise;
  return parts;
}

Estimate gemm_time(const GemmShape& s, const GemmModel& model) {
  if (!(s.m > 0) || !(s.n > 0) || !(s.k > 0)) return {0, Bound::latency, model.source, 0};
  const GemmParts parts = gemm_physics(s, model);
  const auto at = coordinates(s);
  const double us = std::max(parts.us * std::exp(model.residual.at(at)), least_us(s, model));
  const bool converts = s.weight_bytes > 0 && s.weight_bytes != model.operand_bytes;
  const bool inside = !converts && model.residual.inside(at);
  const double band = model.band.at(std::log2(us));
  return {us, bound_of(parts), source_of(model, inside, converts), inside ? band : std::max(band, model.far_band)};
}

}  // namespace tpsim
