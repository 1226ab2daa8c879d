#include <algorithm>
#include <cmath>

#include "sim/kernels/attention.h"

#include "sim/kernels/physics.h"

namespace tpsim {
namespace {

constexpr double kBlock = 128;  // tokens of the cache that decode reads at a time
constexpr double kMostSplits = 256;

constexpr AttentionConstantField kFields[] = {
    {"start", &AttentionConstants::start, 0.5, 60, true, true},
    {"memory_share", &AttentionConstants::memory_share, 0.03, 1.5, true, true},
    {"compute_share", &AttentionConstants::compute_share, 0.02, 2, true, true},
    {"softmax", &AttentionConstants::softmax, 1, 200, true, false},
    {"tile_start", &AttentionConstants::tile_start, 0.01, 10, true, true},
    {"tail", &AttentionConstants::tail, 0.02, 2, true, false},
    {"overlap", &AttentionConstants::overlap, 1, 8, true, true},
    {"per_row", &AttentionConstants::per_row, 0.001, 20, true, true},
    {"sm_bandwidth", &AttentionConstants::sm_bandwidth, 0.1, 20, false, true},
    {"wave", &AttentionConstants::wave, 0.02, 1, false, true},
    {"occupancy", &AttentionConstants::occupancy, 0.3, 6, false, true},
    {"combine", &AttentionConstants::combine, 0.05, 20, false, true},
    {"regroup", &AttentionConstants::regroup, 0.02, 30, false, true},
    {"cache_gain", &AttentionConstants::cache_gain, 1, 8, false, true},
    {"cache_edge", &AttentionConstants::cache_edge, 0.2, 3, false, true},
    {"cache_drop", &AttentionConstants::cache_drop, 1, 15, false, true},
};

double attended(const AttentionShape& s) { return s.window > 0 ? std::min(s.context, s.window) : s.context; }

// Tokens of the blocks that decode reads: a window rarely begins where a block does.
double touched(const AttentionShape& s) { return s.window > 0 ? std::min(s.context, s.window + kBlock) : s.context; }

// Columns that tiles of `tile` queries visit, over all tiles of one head.
struct Columns {
  double tiles = 0, all = 0, most = 0;
};
Columns visited(const AttentionShape& s, double tile) {
  const double tiles = std::ceil(s.query / tile), before = std::max(0.0, s.context - s.query);
  if (!s.causal) return {tiles, tiles * attended(s), attended(s)};
  const double cap = s.window > 0 ? s.window + tile : before + tiles * tile;
  const double rising = std::clamp(std::floor((cap - before) / tile), 0.0, tiles);
  const double all = rising * before + tile * rising * (rising + 1) / 2 + (tiles - rising) * cap;
  return {tiles, all, std::min(cap, before + tiles * tile)};
}

AttentionParts prefill(const AttentionShape& s, const AttentionModel& model) {
  const AttentionConstants& c = model.constants;
  const GemmDevice& d = model.device;
  const Columns columns = visited(s, model.tile);
  const double pairs = s.sequences * s.heads;
  const double column = 2 * model.tile * (s.key_dim + s.value_dim + 2 * c.softmax) / (d.flops * c.compute_share);
  const double spread = pairs * (columns.all * column + columns.tiles * c.tile_start / d.multiprocessors);
  const double longest = d.multiprocessors * columns.most * column + c.tile_start;
  AttentionParts parts;
  parts.start = c.start;
  parts.compute = spread + c.tail * longest;
  parts.memory = attention_bytes(s) / (c.memory_share * d.bandwidth);
  parts.rows = c.per_row * pairs / 1000 * 100 / d.multiprocessors;
  return parts;
}

double missed(double bytes, const AttentionModel& model, bool hot) {
  const AttentionConstants& c = model.constants;
  if (!hot || model.device.l2 <= 0 || bytes <= 0) return 1;
  return 1 / (1 + std::pow(c.cache_edge * model.device.l2 / bytes, c.cache_drop));
}

AttentionParts decode(const AttentionShape& s, const AttentionModel& model) {
  const AttentionConstants& c = model.constants;
  const GemmDevice& d = model.device;
  const bool whole = model.splits == ContextSplits::grouped && (s.heads <= s.kv_heads || s.window > 0);
  const double rows = whole ? s.query : s.heads / s.kv_heads * s.query;
  const double tiles = s.sequences * (whole ? s.heads : s.kv_heads) * std::ceil(rows / model.tile);
  const double blocks = std::ceil(touched(s) / kBlock);
  const double reading = kBlock * s.kv_bytes * d.multiprocessors / (c.sm_bandwidth * d.bandwidth);
  const double products = 2 * kBlock * std::min(model.tile, 16 * std::ceil(rows / 16)) * (s.key_dim + s.value_dim) *
                          d.multiprocessors / (d.flops * c.compute_share);
  const double block = joined(reading, products, 3);
  const double joining = s.sequences * s.heads * s.query * s.value_dim * 8 / (c.memory_share * d.bandwidth);
  const double most_splits = whole || model.splits == ContextSplits::never ? 1 : std::clamp(blocks, 1.0, kMostSplits);
  double best = 0;
  for (double splits = 1; splits <= most_splits; splits *= 2) {
    const double even = std::max(1.0, tiles * splits / (d.multiprocessors * c.occupancy));
    const double waves = even + c.wave * (std::ceil(even) - even);
    const double us =
        waves * (std::ceil(blocks / splits) * block + c.tile_start) + (splits > 1 ? c.combine + splits * joining : 0);
    if (splits == 1 || us < best) best = us;
  }
  AttentionParts parts;
  const double bytes = attention_bytes(s), miss = missed(bytes, model, s.hot);
  const bool copies = model.splits == ContextSplits::grouped && !whole && s.sequences > 1 && s.kv_heads > 1;
  parts.start = c.start + (copies ? c.regroup : 0);
  parts.compute = best;
  parts.memory = bytes / (c.memory_share * d.bandwidth) * (miss + (1 - miss) / c.cache_gain);
  parts.rows = c.per_row * s.sequences * s.heads / 1000 * 100 / d.multiprocessors;
  return parts;
}

}  // namespace

std::span<const AttentionConstantField> attention_constant_fields() { return kFields; }

AttentionParts attention_physics(const AttentionShape& s, const AttentionModel& model) {
  AttentionParts parts = is_decode(model.kind) ? decode(s, model) : prefill(s, model);
  parts.us = parts.start + joined(parts.compute, parts.memory, model.constants.overlap) + parts.rows;
  return parts;
}

std::array<const char*, 4> attention_axes(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::prefill: return {"log2_sequences", "log2_query", "log2_heads", "log2_group"};
    case AttentionKind::decode: return {"log2_sequences", "log2_attended", "log2_kv_heads", "log2_group"};
    case AttentionKind::latent_prefill: return {"log2_sequences", "log2_query", "log2_heads", "none"};
    case AttentionKind::latent_decode: return {"log2_sequences", "log2_attended", "log2_heads", "none"};
  }
  return {};
}

std::array<double, 4> attention_coordinates(const AttentionShape& s, AttentionKind kind) {
  const double sequences = std::log2(s.sequences), group = std::log2(s.heads / s.kv_heads);
  switch (kind) {
    case AttentionKind::prefill: return {sequences, std::log2(s.query), std::log2(s.heads), group};
    case AttentionKind::decode: return {sequences, std::log2(touched(s)), std::log2(s.kv_heads), group};
    case AttentionKind::latent_prefill: return {sequences, std::log2(s.query), std::log2(s.heads), 0};
    case AttentionKind::latent_decode: return {sequences, std::log2(touched(s)), std::log2(s.heads), 0};
  }
  return {};
}

double attention_flops(const AttentionShape& s) {
  const double wide = attended(s), before = s.context - s.query;
  const double rising = s.causal ? std::clamp(wide - before, 0.0, s.query) : 0;
  const double pairs = s.query * wide - rising * (rising - 1) / 2 * (s.causal ? 1 : 0);
  return 2 * s.sequences * s.heads * pairs * (s.key_dim + s.value_dim);
}

double attention_bytes(const AttentionShape& s) {
  const double in_and_out = 2 * s.query * s.heads * (s.key_dim + s.value_dim);
  const double read = s.window > 0 ? std::min(s.context, s.window + s.query) : s.context;
  return s.sequences * (in_and_out + s.kv_heads * (read + 2 * s.query) * s.kv_bytes);
}

Estimate attention_time(const AttentionShape& s, const AttentionModel& model) {
  if (!(s.sequences > 0) || !(s.query > 0) || !(s.heads > 0) || !(s.kv_heads > 0) || !(s.context > 0))
    return {0, Bound::latency, model.source, 0};
  const AttentionParts parts = attention_physics(s, model);
  const std::array<double, 4> at = attention_coordinates(s, model.kind);
  const bool known = model.residual.inside(at);
  const double us = parts.us * std::exp(model.residual.at(at));
  const Bound longer = parts.compute > parts.memory && !is_decode(model.kind) ? Bound::compute : Bound::memory;
  const bool latency = parts.start + parts.rows > std::max(parts.compute, parts.memory);
  const double band = model.band.at(std::log2(us));
  const NumberSource source = known && model.source == NumberSource::calibrated ? NumberSource::measured : model.source;
  return {us, latency ? Bound::latency : longer, source, known ? band : std::max(band, model.far_band)};
}

}  // namespace tpsim
