// Kernels that only pass bytes: norms, additions, activations, rotary embedding, token lookup, quantisation.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/estimate.h"
#include "sim/fit/errors.h"

namespace tpsim {

// add3: two additions in one kernel.
enum class ElementwiseOp { rmsnorm, layernorm, add, add3, silu_mul, gelu, rope, embedding, fp8_quant };
const char* to_string(ElementwiseOp op);
// By the names of elementwise.csv.
std::optional<ElementwiseOp> parse_elementwise_op(std::string_view name);
// Read and written per row and output feature with 16-bit elements: 6 for a + b.
double elementwise_bytes(ElementwiseOp op);

struct ElementwiseShape {
  double rows = 0;   // tokens
  double width = 0;  // features of a row
  double bytes = 0;  // read and written, over all rows
  bool hot = false;  // a benchmark's loop over the same buffers: what fits in L2 stays there
};

struct ElementwiseConstants {
  double start = 2;                                         // us
  double depth = 0.05;                                      // us per 1024 features of one row
  double share = 0.6;                                       // of memory bandwidth, as the nominal bytes see it
  double per_row = 0.3;                                     // us per 1000 rows and wave of 100 multiprocessors
  double cache_gain = 2, cache_edge = 0.8, cache_drop = 6;  // as in GemmConstants
  bool operator==(const ElementwiseConstants&) const = default;
};
struct ElementwiseConstantField {
  const char* name;
  double ElementwiseConstants::*member;
  double low, high;
};
std::span<const ElementwiseConstantField> elementwise_constant_fields();

struct ElementwiseModel {
  ElementwiseOp op = ElementwiseOp::add;
  double bandwidth = 1;  // bytes per us
  double multiprocessors = 1;
  double l2 = 0;  // bytes
  ElementwiseConstants constants;
  BandCurve band;  // over log2 of the predicted us
  NumberSource source = NumberSource::spec;
  std::string origin;
  int rows = 0;
  bool operator==(const ElementwiseModel&) const = default;
};

struct ElementwiseCalibration {
  std::vector<ElementwiseModel> models;
  bool operator==(const ElementwiseCalibration&) const = default;
};

// Never falls as rows, width or bytes grow. Nothing is allocated.
Estimate elementwise_time(const ElementwiseShape& shape, const ElementwiseModel& model);

// The calibration's model of that operation, or of the most alike one, at the data sheet's rates; the data sheet alone
// without a calibration.
ElementwiseModel elementwise_model(const ElementwiseCalibration* calibration, const Hardware& hardware,
                                   ElementwiseOp op);
ElementwiseModel spec_elementwise_model(const Hardware& hardware, ElementwiseOp op);

Value to_value(const ElementwiseCalibration& calibration);
Result<ElementwiseCalibration> read_elementwise_calibration(const Value& value);

}  // namespace tpsim
