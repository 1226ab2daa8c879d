// Time of out[m, n] = in[m, k] x W[n, k]^T: tiles, waves, splits of k, memory, clocks under power, and what
// measurements say beyond that.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/estimate.h"
#include "sim/fit/errors.h"
#include "sim/fit/residual_grid.h"

namespace tpsim {

struct GemmShape {
  double m = 0, n = 0, k = 0;  // rows of activations, output and input features of one rank
  double weight_bytes = 0;     // per element as stored, scales included; 0 = as the kernel multiplies them
  // Sets of weights that a benchmark takes in turn: what fits in the L2 cache is then read from there. 0 = nothing
  // does, as in the step of a model.
  int copies = 0;
  bool quantised = false;  // activations arrive in the kernel's type: a kernel before has quantised them
};

// What the data sheet says, for the type that the kernel multiplies.
struct GemmDevice {
  double flops = 1;      // per us
  double bandwidth = 1;  // bytes per us
  double multiprocessors = 1;
  double l2 = 0;  // bytes
  bool operator==(const GemmDevice&) const = default;
};

// Fitted. Shares are of the data sheet's rates.
struct GemmConstants {
  double start = 2.6;  // us
  double memory_share = 0.85;
  double compute_share = 1.1;
  double tile_64 = 0.5, tile_128 = 0.7, tile_192 = 0.9, tile_mixed = 0.8;  // against tiles of 128 x 256
  double tile_choice = 10;                                                 // power of the soft minimum over tile shapes
  double wave = 0.5;           // 1 = the last wave takes as long as a full one, 0 = work is spread evenly
  double sm_bandwidth = 6;     // of one multiprocessor, in shares of its part of memory bandwidth
  double epilogue = 2;         // us per tile of 32768 outputs
  double split_start = 3;      // us for a reduction over splits of k
  double split_bandwidth = 2;  // of that reduction, in memory bandwidths
  double overlap = 2.3;        // power that joins compute and memory: 1 = one after the other, large = the longer
  double power = 0.3;          // clocks: time * (1 + power * utilisation^2)
  double cache_gain = 2;       // L2 over memory bandwidth
  double cache_edge = 1;       // working set in L2 sizes of which half still hits
  double cache_drop = 6;       // how sharply hits end there
  double quantise_start = 2;   // us; kernels that quantise activations first
  double quantise_share = 0.5;
  double quantise_row = 0.5;  // us per 1024 elements of one row
  bool operator==(const GemmConstants&) const = default;
};

// One constant by its name in JSON, with the range a fit keeps to.
struct GemmConstantField {
  const char* name;
  double GemmConstants::*member;
  double low, high;
  bool quantise_only;
};
std::span<const GemmConstantField> gemm_constant_fields();

struct GemmModel {
  std::string kernel;  // "bf16", "fp16", "fp8", "fp8_block"
  double operand_bytes = 2;
  bool quantises = false;  // bf16 in: activations are quantised by a kernel of their own, whose time is included
  GemmDevice device;
  GemmConstants constants;
  ResidualGrid residual;   // over log2 of m, n, k
  BandCurve band;          // over log2 of the predicted us, within the grid
  double far_band = 0.35;  // outside
  NumberSource source = NumberSource::spec;
  std::string origin;  // of the rows
  int rows = 0;
  bool operator==(const GemmModel&) const = default;
};

struct GemmCalibration {
  std::vector<GemmModel> models;
  bool operator==(const GemmCalibration&) const = default;
};

// Never falls as m, n or k grow, but for the residual's share. Nothing is allocated.
Estimate gemm_time(const GemmShape& shape, const GemmModel& model);

// The physics alone and its parts, for fits and --explain.
struct GemmParts {
  double start = 0, compute = 0, memory = 0, quantise = 0;
  double us = 0;
};
GemmParts gemm_physics(const GemmShape& shape, const GemmModel& model);

// Of the operands, by the name of a kernel: "bf16", "fp8_block".
DType gemm_dtype(std::string_view kernel);

// Products of `dtype` on that hardware: the calibration's own kernel, else the nearest one at the data sheet's rates
// (source transferred), else the data sheet alone (source spec).
GemmModel gemm_model(const GemmCalibration* calibration, const Hardware& hardware, DType dtype,
                     bool block_scaled = false);
// The same constants on another device, with a wider band.
GemmModel transferred(GemmModel model, const GemmDevice& device);
GemmModel spec_gemm_model(const Hardware& hardware, DType dtype, bool block_scaled = false);
GemmDevice gemm_device(const Hardware& hardware, DType dtype);

Value to_value(const GemmCalibration& calibration);
Result<GemmCalibration> read_gemm_calibration(const Value& value);

}  // namespace tpsim
