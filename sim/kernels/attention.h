// Time of attention on one rank, new keys and values into the cache included: prefill (chunks too) and decode, over
// keys and values or over a latent cache (MLA).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/estimate.h"
#include "sim/fit/errors.h"
#include "sim/fit/residual_grid.h"
#include "sim/kernels/gemm.h"

namespace tpsim {

// Decode: whether the context of one sequence is split over multiprocessors. grouped: only where query heads share a kv
// head and no window is set, as FA2 does; heads then run on their own otherwise.
enum class ContextSplits { always, grouped, never };
const char* to_string(ContextSplits splits);

enum class AttentionKind { prefill, decode, latent_prefill, latent_decode };
const char* to_string(AttentionKind kind);
bool is_decode(AttentionKind kind);

struct AttentionShape {
  double sequences = 1;
  double query = 1;    // new tokens of each
  double context = 1;  // tokens attended to, the new ones among them
  double heads = 1, kv_heads = 1;
  double key_dim = 128, value_dim = 128;
  double kv_bytes = 512;  // of one token and kv head in the cache, keys and values
  double window = 0;      // 0 = full
  bool causal = true;
  bool hot = false;  // a benchmark's loop over the same buffers: what fits in L2 stays there
};

// Fitted. Shares are of the data sheet's rates.
struct AttentionConstants {
  double start = 9;  // us
  double memory_share = 0.8;
  double compute_share = 0.6;
  double softmax = 20;      // features that exponentials of one score cost
  double tile_start = 0.5;  // us per tile of queries (prefill) or split of the context (decode)
  double tail = 0.8;        // prefill: how much of the longest tile is waited for
  double overlap = 1.5;     // power that joins compute and memory
  double per_row = 0.2;     // us per 1000 (sequence, head) pairs and wave of 100 multiprocessors
  double sm_bandwidth = 3;  // decode: of one multiprocessor, in shares of its part of memory bandwidth
  double wave = 0.5;        // decode: as in GemmConstants
  double occupancy = 0.9;   // decode: tiles per multiprocessor at a time
  double combine = 2;       // decode: us to join splits of the context
  double regroup = 4;  // decode, grouped splits: us to put heads of one kv head side by side where a copy is needed
  double cache_gain = 2, cache_edge = 0.8, cache_drop = 6;  // as in GemmConstants
  bool operator==(const AttentionConstants&) const = default;
};
struct AttentionConstantField {
  const char* name;
  double AttentionConstants::*member;
  double low, high;
  bool prefill, decode;  // which kinds have it
};
std::span<const AttentionConstantField> attention_constant_fields();

struct AttentionModel {
  AttentionKind kind = AttentionKind::prefill;
  std::string kernel;    // "fa3"
  std::string cache;     // "bf16", "fp8"
  double key_dim = 128;  // that was measured
  bool windowed = false;
  double tile = 64;  // queries (decode: times heads of one kv head) that one block works on
  ContextSplits splits = ContextSplits::always;
  GemmDevice device;
  AttentionConstants constants;
  ResidualGrid residual;  // over attention_coordinates
  BandCurve band;         // over log2 of the predicted us, within the grid
  double far_band = 0.35;
  NumberSource source = NumberSource::spec;
  std::string origin;  // of the rows
  int rows = 0;
  bool operator==(const AttentionModel&) const = default;
};

struct AttentionCalibration {
  std::vector<AttentionModel> models;
  bool operator==(const AttentionCalibration&) const = default;
};

// Never falls as any size grows, but for the residual's share. Nothing is allocated.
Estimate attention_time(const AttentionShape& shape, const AttentionModel& model);

// The physics alone and its parts, for fits and --explain.
struct AttentionParts {
  double start = 0, compute = 0, memory = 0, rows = 0;
  double us = 0;
};
AttentionParts attention_physics(const AttentionShape& shape, const AttentionModel& model);
std::array<double, 4> attention_coordinates(const AttentionShape& shape, AttentionKind kind);
std::array<const char*, 4> attention_axes(AttentionKind kind);

// Work that any kernel does: for rooflines.
double attention_flops(const AttentionShape& shape);
double attention_bytes(const AttentionShape& shape);

// Few new tokens over a long context run as decode.
AttentionKind attention_kind(const AttentionShape& shape, bool latent);

struct AttentionChoice {
  AttentionKind kind = AttentionKind::prefill;
  DType cache = DType::bf16;
  double key_dim = 128;
  bool windowed = false;
  std::string_view kernel = {};  // preferred; empty = whichever the calibration has
};
// The calibration's own model, else the nearest one of that kind at the data sheet's rates (source transferred), else
// the data sheet alone (source spec).
AttentionModel attention_model(const AttentionCalibration* calibration, const Hardware& hardware,
                               const AttentionChoice& choice);
AttentionModel spec_attention_model(const Hardware& hardware, const AttentionChoice& choice);

// `family`: "attention" or "mla", for messages.
Value to_value(const AttentionCalibration& calibration);
Result<AttentionCalibration> read_attention_calibration(const Value& value, const std::string& family);

}  // namespace tpsim
