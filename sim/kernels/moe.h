// Time of the routed experts of one layer on one rank: permute, two grouped products, combine. Tiles are counted by how
// tokens spread over experts.
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

// balanced: all experts get the same. random: each token picks experts that are equally likely. power_law: experts'
// shares are drawn from x^-1.2, as the collector of ai-dynamo/aiconfigurator does (collector/helper.py, 095f58a).
enum class Routing { balanced, random, power_law };
const char* to_string(Routing routing);

// Tokens of the rank with most over the mean of all ranks, for experts in equal contiguous groups. At least 1, at most
// `ranks`.
double expert_imbalance(double tokens, double experts, double topk, double ranks, Routing routing);

struct MoeShape {
  double tokens = 1;             // that enter the rank
  double hidden = 1, inter = 1;  // inter: of one expert on this rank
  double topk = 1, experts = 1, local_experts = 1;
  double matrices = 3;   // 3: gate, up, down; 2: without a gate
  double imbalance = 1;  // of this rank: its tokens over the mean
  double weight_bytes = 2;
  double unpacking = 1;  // products take so much longer because their weights are unpacked first
  Routing routing = Routing::balanced;
  bool hot = false;  // a benchmark's loop over the same buffers: what fits in L2 stays there
};

// What the routing makes of a shape.
struct ExpertLoads {
  double pairs = 0;   // (token, local expert)
  double active = 0;  // experts with at least one token
  static constexpr int kMost = 32;
  std::array<double, kMost> load{};  // tokens of one expert, for equal groups of experts
  int groups = 0;
  double per_group = 0;  // experts of one group

  double tiles(double rows) const;  // blocks of that many rows
};
ExpertLoads expert_loads(const MoeShape& shape);

// Fitted. Shares are of the data sheet's rates.
struct MoeConstants {
  double start = 25;  // us
  double compute_share = 0.8;
  double memory_share = 0.8;
  double row_overhead = 24;  // rows that a tile costs beyond its own
  double tile_start = 2;     // us per tile on one multiprocessor
  double sm_bandwidth = 4;   // of one multiprocessor, in shares of its part of memory bandwidth
  double wave = 0.3;         // as in GemmConstants
  double overlap = 2;        // power that joins compute and memory
  double per_pair = 3;       // us per 1000 (token, expert) pairs of 4096 features
  double per_token = 0.5;    // us per 1000 tokens that enter
  double foreign = 0.3;      // share of the bytes of pairs of other ranks' experts that are moved all the same
  double per_expert = 0.5;   // us per 100 experts
  double misaligned = 1.5;   // products take so much longer where `inter` is no multiple of 16: narrow loads
  double cache_gain = 2, cache_edge = 0.8, cache_drop = 6;  // as in GemmConstants
  bool operator==(const MoeConstants&) const = default;
};
struct MoeConstantField {
  const char* name;
  double MoeConstants::*member;
  double low, high;
};
std::span<const MoeConstantField> moe_constant_fields();

struct MoeModel {
  std::string kernel;   // "triton"
  std::string dtype;    // "bf16", "fp8", "fp8_block"
  bool skewed = false;  // fitted on power_law rows
  GemmDevice device;
  MoeConstants constants;
  ResidualGrid residual;  // over moe_coordinates
  BandCurve band;         // over log2 of the predicted us, within the grid
  double far_band = 0.5;
  NumberSource source = NumberSource::spec;
  std::string origin;  // of the rows
  int rows = 0;
  bool operator==(const MoeModel&) const = default;
};

struct MoeCalibration {
  std::vector<MoeModel> models;
  bool operator==(const MoeCalibration&) const = default;
};

// Never falls as tokens, experts or multiples of 16 features grow, but for the residual's share. Nothing is allocated.
Estimate moe_time(const MoeShape& shape, const MoeModel& model);

// The physics alone and its parts, for fits and --explain.
struct MoeParts {
  double start = 0, compute = 0, memory = 0, routing = 0;
  double us = 0;
};
MoeParts moe_physics(const MoeShape& shape, const MoeModel& model);
inline constexpr std::size_t kMoeAxes = 3;
std::array<double, kMoeAxes> moe_coordinates(const MoeShape& shape);
std::array<const char*, kMoeAxes> moe_axes();

// Work that any kernel does: for rooflines.
double moe_flops(const MoeShape& shape);
double moe_bytes(const MoeShape& shape);

struct MoeChoice {
  DType products = DType::bf16;
  bool block_scaled = false;
  bool skewed = false;
  std::string_view kernel = {};  // preferred; empty = the one with most rows
};
// The calibration's own model, else the nearest one at the data sheet's rates (source transferred), else the data sheet
// alone (source spec).
MoeModel moe_model(const MoeCalibration* calibration, const Hardware& hardware, const MoeChoice& choice);
// The same constants at another device's rates.
MoeModel transferred(MoeModel model, const GemmDevice& device);
MoeModel spec_moe_model(const Hardware& hardware, const MoeChoice& choice);

Value to_value(const MoeCalibration& calibration);
Result<MoeCalibration> read_moe_calibration(const Value& value);

}  // namespace tpsim
