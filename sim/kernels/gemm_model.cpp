// Which constants serve which type on which device.
#include <algorithm>
#include <cmath>

#include "sim/kernels/gemm.h"

namespace tpsim {
namespace {

constexpr double kTransferBand = 0.25, kSpecBand = 0.35;

struct Kernel {
  const char* name;
  double operand_bytes;
  bool quantises;
};

Kernel kernel_of(DType dtype, bool block_scaled) {
  switch (dtype) {
    case DType::fp32: return {"fp32", 4, false};
    case DType::fp16: return {"fp16", 2, false};
    case DType::bf16: return {"bf16", 2, false};
    case DType::fp8: return {block_scaled ? "fp8_block" : "fp8", 1, true};
    case DType::int8: return {"int8", 1, true};
    case DType::int4: return {"int4", 0.5, true};
    case DType::mxfp4: return {"mxfp4", 0.53125, true};
    case DType::int64: return {"int64", 8, false};
  }
  return {"bf16", 2, false};
}

// Nearest kernels first; only those that quantise like the wanted one keep its overheads.
std::vector<std::string_view> substitutes(std::string_view kernel) {
  if (kernel == "fp16") return {"bf16"};
  if (kernel == "bf16") return {"fp16"};
  if (kernel == "fp8") return {"fp8_block"};
  if (kernel == "fp8_block") return {"fp8"};
  if (kernel == "int8" || kernel == "int4" || kernel == "mxfp4") return {"fp8", "fp8_block", "bf16", "fp16"};
  return {"bf16", "fp16"};
}

const GemmModel* find_model(const GemmCalibration& calibration, std::string_view kernel) {
  const auto it = std::find_if(calibration.models.begin(), calibration.models.end(),
                               [&](const GemmModel& m) { return m.kernel == kernel; });
  return it == calibration.models.end() ? nullptr : &*it;
}

bool near(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(std::abs(a), std::abs(b)); }

// Bytes of L2 do not decide predictions of steps.
bool same_device(const GemmDevice& a, const GemmDevice& b) {
  return near(a.flops, b.flops) && near(a.bandwidth, b.bandwidth) && a.multiprocessors == b.multiprocessors;
}

}  // namespace

DType gemm_dtype(std::string_view kernel) {
  if (kernel == "fp8_block") return DType::fp8;
  return parse_dtype(kernel).value_or(DType::bf16);
}

GemmDevice gemm_device(const Hardware& hardware, DType dtype) {
  return {peak_rate(hardware, dtype).value * 1e-6, hardware.memory_bandwidth.value * 1e-6,
          std::max(1.0, static_cast<double>(hardware.multiprocessors)), static_cast<double>(hardware.l2_cache.value)};
}

GemmModel spec_gemm_model(const Hardware& hardware, DType dtype, bool block_scaled) {
  const Kernel kernel = kernel_of(dtype, block_scaled);
  GemmModel model;
  model.kernel = kernel.name;
  model.operand_bytes = kernel.operand_bytes;
  model.quantises = kernel.quantises;
  model.device = gemm_device(hardware, dtype);
  model.constants.start = microseconds(hardware.kernel_floor);
  model.constants.memory_share = hardware.bandwidth_efficiency;
  model.constants.compute_share = std::min(1.3 * hardware.compute_efficiency, 1.1);
  model.band = {{0}, {kSpecBand}};
  model.far_band = kSpecBand;
  model.origin = "data sheet";
  return model;
}

GemmModel transferred(GemmModel model, const GemmDevice& device) {
  const double l2 = device.l2 > 0 ? device.l2 : model.device.l2;
  model.device = device;
  model.device.l2 = l2;
  for (double& width : model.band.widths) width = std::max(width, kTransferBand);
  if (model.band.knots.empty()) model.band = {{0}, {kTransferBand}};
  model.far_band = std::max(model.far_band, kSpecBand);
  model.source = NumberSource::transferred;
  return model;
}

GemmModel gemm_model(const GemmCalibration* calibration, const Hardware& hardware, DType dtype, bool block_scaled) {
  const GemmModel spec = spec_gemm_model(hardware, dtype, block_scaled);
  if (calibration == nullptr) return spec;
  if (const GemmModel* own = find_model(*calibration, spec.kernel))
    return same_device(own->device, spec.device) ? *own : transferred(*own, spec.device);
  for (std::string_view name : substitutes(spec.kernel)) {
    const GemmModel* near_model = find_model(*calibration, name);
    if (near_model == nullptr) continue;
    GemmModel model = transferred(*near_model, spec.device);
    model.kernel = spec.kernel;
    model.operand_bytes = spec.operand_bytes;
    model.quantises = spec.quantises;
    model.origin = "as " + near_model->kernel + ": " + near_model->origin;
    return model;
  }
  return spec;
}

}  // namespace tpsim
