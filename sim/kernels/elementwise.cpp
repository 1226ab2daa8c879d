#include "sim/kernels/elementwise.h"

#include <algorithm>
#include <cmath>

namespace tpsim {
namespace {

constexpr double kTransferBand = 0.35, kSpecBand = 0.5;

struct OpRow {
  const char* name;
  ElementwiseOp op;
  double bytes;
};
constexpr OpRow kOps[] = {
    {"rmsnorm", ElementwiseOp::rmsnorm, 4},
    {"layernorm", ElementwiseOp::layernorm, 4},
    {"add", ElementwiseOp::add, 6},
    {"add3", ElementwiseOp::add3, 8},
    {"silu_mul", ElementwiseOp::silu_mul, 6},
    {"gelu", ElementwiseOp::gelu, 4},
    {"rope", ElementwiseOp::rope, 4},
    {"embedding", ElementwiseOp::embedding, 4},
    {"fp8_quant", ElementwiseOp::fp8_quant, 3},
};

const OpRow& row_of(ElementwiseOp op) {
  return *std::find_if(std::begin(kOps), std::end(kOps), [&](const OpRow& o) { return o.op == op; });
}

constexpr ElementwiseConstantField kFields[] = {
    {"start", &ElementwiseConstants::start, 0.2, 30},         {"depth", &ElementwiseConstants::depth, 0.001, 5},
    {"share", &ElementwiseConstants::share, 0.02, 1.5},       {"per_row", &ElementwiseConstants::per_row, 0.001, 20},
    {"cache_gain", &ElementwiseConstants::cache_gain, 1, 8},  {"cache_edge", &ElementwiseConstants::cache_edge, 0.2, 3},
    {"cache_drop", &ElementwiseConstants::cache_drop, 1, 15},
};

double missed(const ElementwiseShape& s, const ElementwiseModel& model) {
  if (!s.hot || model.l2 <= 0 || s.bytes <= 0) return 1;
  const ElementwiseConstants& c = model.constants;
  return 1 / (1 + std::pow(c.cache_edge * model.l2 / s.bytes, c.cache_drop));
}

// Most alike first.
std::vector<ElementwiseOp> substitutes(ElementwiseOp op) {
  using enum ElementwiseOp;
  switch (op) {
    case rmsnorm: return {layernorm, gelu, fp8_quant};
    case layernorm: return {rmsnorm, gelu, fp8_quant};
    case add: return {gelu, silu_mul, fp8_quant};
    case add3: return {add, silu_mul, fp8_quant};
    case silu_mul: return {gelu, add, fp8_quant};
    case gelu: return {silu_mul, add, fp8_quant};
    case rope: return {silu_mul, gelu, fp8_quant};
    case embedding: return {rope, add, fp8_quant};
    case fp8_quant: return {gelu, add, silu_mul};
  }
  return {};
}

const ElementwiseModel* find_model(const ElementwiseCalibration& calibration, ElementwiseOp op) {
  const auto it = std::find_if(calibration.models.begin(), calibration.models.end(),
                               [&](const ElementwiseModel& m) { return m.op == op; });
  return it == calibration.models.end() ? nullptr : &*it;
}

bool near(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(a, b); }

ElementwiseModel moved(ElementwiseModel model, const ElementwiseModel& to) {
  model.op = to.op;
  model.bandwidth = to.bandwidth;
  model.multiprocessors = to.multiprocessors;
  if (to.l2 > 0) model.l2 = to.l2;
  model.source = NumberSource::transferred;
  for (double& width : model.band.widths) width = std::max(width, kTransferBand);
  if (model.band.knots.empty()) model.band = {{0}, {kTransferBand}};
  return model;
}

}  // namespace

const char* to_string(ElementwiseOp op) { return row_of(op).name; }

double elementwise_bytes(ElementwiseOp op) { return row_of(op).bytes; }

std::optional<ElementwiseOp> parse_elementwise_op(std::string_view name) {
  for (const OpRow& o : kOps)
    if (name == o.name) return o.op;
  return std::nullopt;
}

std::span<const ElementwiseConstantField> elementwise_constant_fields() { return kFields; }

Estimate elementwise_time(const ElementwiseShape& s, const ElementwiseModel& model) {
  if (!(s.rows > 0)) return {0, Bound::latency, model.source, 0};
  const ElementwiseConstants& c = model.constants;
  const double miss = missed(s, model);
  const double moving = s.bytes / (c.share * model.bandwidth) * (miss + (1 - miss) / c.cache_gain);
  const double serial = c.depth * s.width / 1024 + c.per_row * s.rows / 1000 * 100 / model.multiprocessors;
  const double us = c.start + std::hypot(moving, serial);
  const Bound bound = moving > c.start && moving > serial ? Bound::memory : Bound::latency;
  return {us, bound, model.source, model.band.at(std::log2(us))};
}

ElementwiseModel spec_elementwise_model(const Hardware& hardware, ElementwiseOp op) {
  ElementwiseModel model;
  model.op = op;
  model.bandwidth = hardware.memory_bandwidth.value * 1e-6;
  model.multiprocessors = std::max(1.0, static_cast<double>(hardware.multiprocessors));
  model.l2 = static_cast<double>(hardware.l2_cache.value);
  model.constants.start = 0.8 * microseconds(hardware.kernel_floor);
  model.constants.share = op == ElementwiseOp::embedding ? 0.2 : 0.8 * hardware.bandwidth_efficiency;
  model.band = {{0}, {kSpecBand}};
  model.origin = "data sheet";
  return model;
}

ElementwiseModel elementwise_model(const ElementwiseCalibration* calibration, const Hardware& hardware,
                                   ElementwiseOp op) {
  const ElementwiseModel spec = spec_elementwise_model(hardware, op);
  if (calibration == nullptr) return spec;
  if (const ElementwiseModel* own = find_model(*calibration, op))
    return near(own->bandwidth, spec.bandwidth) ? *own : moved(*own, spec);
  for (ElementwiseOp other : substitutes(op))
    if (const ElementwiseModel* found = find_model(*calibration, other)) {
      ElementwiseModel model = moved(*found, spec);
      model.origin = std::string("as ") + to_string(other) + ": " + found->origin;
      return model;
    }
  return spec;
}

}  // namespace tpsim
