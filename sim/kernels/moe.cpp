#include "sim/kernels/moe.h"

#include <algorithm>
#include <cmath>

#include "sim/kernels/kernel_json.h"
#include "sim/kernels/physics.h"

namespace tpsim {
namespace {

constexpr double kTransferBand = 0.5, kSpecBand = 0.7;

bool near(double a, double b) { return std::abs(a - b) <= 0.02 * std::max(a, b); }

const char* dtype_name(const MoeChoice& choice) {
  if (choice.products != DType::fp8 && choice.products != DType::int8) return "bf16";
  return choice.block_scaled ? "fp8_block" : "fp8";
}

// Smaller is nearer; 0 = what was asked for.
double distance(const MoeModel& m, const MoeChoice& wanted) {
  const std::string_view dtype = dtype_name(wanted);
  double far = 0;
  if (m.dtype != dtype) far += m.dtype.substr(0, 3) == dtype.substr(0, 3) ? 10 : 20;
  if (!wanted.kernel.empty() && m.kernel != wanted.kernel) far += 5;
  if (m.skewed != wanted.skewed) far += 1;
  return far - 1e-6 * std::min(m.rows, 100000);
}

Value model_value(const MoeModel& model) {
  ValueObject object{{"kernel", Value{model.kernel}}, {"dtype", Value{model.dtype}}, {"skewed", Value{model.skewed}}};
  add_fitted(object, model, moe_constant_fields());
  return Value{std::move(object)};
}

Result<MoeModel> read_model(const Value& value, const std::string& where) {
  ObjectReader reader(value, where);
  MoeModel model;
  model.kernel = reader.text("kernel");
  model.dtype = reader.text("dtype");
  model.skewed = reader.flag("skewed");
  if (auto ok = read_fitted(reader, where, model, moe_constant_fields(), kMoeAxes); !ok) return ok.error();
  return model;
}

}  // namespace

MoeModel spec_moe_model(const Hardware& hardware, const MoeChoice& choice) {
  MoeModel model;
  model.kernel = "spec";
  model.dtype = dtype_name(choice);
  model.skewed = choice.skewed;
  model.device = gemm_device(hardware, choice.products);
  model.constants.start = 10 * microseconds(hardware.kernel_floor);
  model.constants.memory_share = hardware.bandwidth_efficiency;
  model.constants.compute_share = 1.1 * hardware.compute_efficiency;
  model.band = {{0}, {kSpecBand}};
  model.far_band = kSpecBand;
  model.origin = "data sheet";
  return model;
}

MoeModel transferred(MoeModel model, const GemmDevice& device) {
  return moved_to(device, std::move(model), kTransferBand);
}

MoeModel moe_model(const MoeCalibration* calibration, const Hardware& hardware, const MoeChoice& choice) {
  const MoeModel spec = spec_moe_model(hardware, choice);
  if (calibration == nullptr || calibration->models.empty()) return spec;
  const auto nearest =
      std::min_element(calibration->models.begin(), calibration->models.end(),
                       [&](const MoeModel& a, const MoeModel& b) { return distance(a, choice) < distance(b, choice); });
  const GemmDevice& theirs = nearest->device;
  const bool same = near(theirs.bandwidth, spec.device.bandwidth) && near(theirs.flops, spec.device.flops);
  if (same && distance(*nearest, choice) < 2) return *nearest;
  return transferred(*nearest, spec.device);
}

Value to_value(const MoeCalibration& calibration) {
  ValueList models;
  for (const MoeModel& model : calibration.models) models.push_back(model_value(model));
  return Value{ValueObject{{"models", Value{std::move(models)}}}};
}

Result<MoeCalibration> read_moe_calibration(const Value& value) {
  auto models = read_models<MoeModel>(value, "moe", read_model);
  if (!models) return models.error();
  return MoeCalibration{std::move(*models)};
}

}  // namespace tpsim
