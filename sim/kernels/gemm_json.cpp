#include "sim/fit/object_reader.h"
#include "sim/kernels/gemm.h"

namespace tpsim {
namespace {

Value constants_value(const GemmModel& model) {
  ValueObject object;
  for (const GemmConstantField& field : gemm_constant_fields())
    if (!field.quantise_only || model.quantises)
      object.emplace_back(field.name, shortened(model.constants.*(field.member)));
  return Value{std::move(object)};
}

Value model_value(const GemmModel& model) {
  const GemmDevice& d = model.device;
  return Value{ValueObject{{"kernel", Value{model.kernel}},
                           {"origin", Value{model.origin}},
                           {"source", Value{std::string(to_string(model.source))}},
                           {"rows", Value{std::int64_t{model.rows}}},
                           {"operand_bytes", shortened(model.operand_bytes)},
                           {"quantises", Value{model.quantises}},
                           {"device", Value{ValueObject{{"flops_per_us", shortened(d.flops)},
                                                        {"bytes_per_us", shortened(d.bandwidth)},
                                                        {"multiprocessors", shortened(d.multiprocessors)},
                                                        {"l2_bytes", shortened(d.l2)}}}},
                           {"constants", constants_value(model)},
                           {"band", to_value(model.band)},
                           {"far_band", shortened(model.far_band)},
                           {"residual", to_value(model.residual)}}};
}

Result<GemmModel> read_model(const Value& value, const std::string& where) {
  ObjectReader reader(value, where);
  GemmModel model;
  model.kernel = reader.text("kernel");
  model.origin = reader.text("origin");
  model.source = reader.source("source");
  model.rows = static_cast<int>(reader.number("rows", 0, 1e9));
  model.operand_bytes = reader.number("operand_bytes", 0.1, 16);
  model.quantises = reader.flag("quantises");
  model.far_band = reader.number("far_band", 0, 10);
  const Value* device = reader.member("device");
  const Value* constants = reader.member("constants");
  const Value* band = reader.member("band");
  const Value* residual = reader.member("residual");
  if (reader.error()) return *reader.error();

  ObjectReader of_device(*device, where + ".device");
  model.device = {of_device.number("flops_per_us", 1, 1e15), of_device.number("bytes_per_us", 1, 1e12),
                  of_device.number("multiprocessors", 1, 1e6), of_device.number("l2_bytes", 0, 1e15)};
  if (of_device.error()) return *of_device.error();
  ObjectReader of_constants(*constants, where + ".constants");
  for (const GemmConstantField& field : gemm_constant_fields())
    if (!field.quantise_only || model.quantises)
      model.constants.*(field.member) = of_constants.number(field.name, field.low, field.high);
  if (of_constants.error()) return *of_constants.error();

  auto widths = read_band(*band);
  if (!widths) return input_error(where + ".band: " + widths.error().message);
  model.band = std::move(*widths);
  auto grid = read_residual_grid(*residual);
  if (!grid) return input_error(where + ".residual: " + grid.error().message);
  if (!grid->empty() && grid->axes().size() != 3)
    return input_error(where + ".residual: needs the axes log2_m, log2_n, log2_k");
  model.residual = std::move(*grid);
  return model;
}

}  // namespace

Value to_value(const GemmCalibration& calibration) {
  ValueList models;
  for (const GemmModel& model : calibration.models) models.push_back(model_value(model));
  return Value{ValueObject{{"models", Value{std::move(models)}}}};
}

Result<GemmCalibration> read_gemm_calibration(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* models = object == nullptr ? nullptr : find(*object, "models");
  const auto* list = models == nullptr ? nullptr : std::get_if<ValueList>(&models->data);
  if (list == nullptr) return input_error("gemm: expected {\"models\": [...]}");
  GemmCalibration calibration;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto model = read_model((*list)[i], "gemm.models[" + std::to_string(i) + "]");
    if (!model) return model.error();
    calibration.models.push_back(std::move(*model));
  }
  return calibration;
}

}  // namespace tpsim
