#include "sim/fit/object_reader.h"
#include "sim/kernels/elementwise.h"

namespace tpsim {
namespace {

Value model_value(const ElementwiseModel& model) {
  ValueObject constants;
  for (const ElementwiseConstantField& f : elementwise_constant_fields())
    constants.emplace_back(f.name, shortened(model.constants.*(f.member)));
  return Value{ValueObject{{"op", Value{std::string(to_string(model.op))}},
                           {"origin", Value{model.origin}},
                           {"source", Value{std::string(to_string(model.source))}},
                           {"rows", Value{std::int64_t{model.rows}}},
                           {"bytes_per_us", shortened(model.bandwidth)},
                           {"multiprocessors", shortened(model.multiprocessors)},
                           {"l2_bytes", shortened(model.l2)},
                           {"constants", Value{std::move(constants)}},
                           {"band", to_value(model.band)}}};
}

Result<ElementwiseModel> read_model(const Value& value, const std::string& where) {
  ObjectReader reader(value, where);
  ElementwiseModel model;
  const std::string op = reader.text("op");
  const auto known = parse_elementwise_op(op);
  if (!known) reader.fail("\"op\" is \"" + op + "\": no elementwise operation");
  model.op = known.value_or(ElementwiseOp::add);
  model.origin = reader.text("origin");
  model.source = reader.source("source");
  model.rows = static_cast<int>(reader.number("rows", 0, 1e9));
  model.bandwidth = reader.number("bytes_per_us", 1, 1e12);
  model.multiprocessors = reader.number("multiprocessors", 1, 1e6);
  model.l2 = reader.number("l2_bytes", 0, 1e15);
  const Value* constants = reader.member("constants");
  const Value* band = reader.member("band");
  if (reader.error()) return *reader.error();
  ObjectReader of_constants(*constants, where + ".constants");
  for (const ElementwiseConstantField& f : elementwise_constant_fields())
    model.constants.*(f.member) = of_constants.number(f.name, f.low, f.high);
  if (of_constants.error()) return *of_constants.error();
  auto widths = read_band(*band);
  if (!widths) return input_error(where + ".band: " + widths.error().message);
  model.band = std::move(*widths);
  return model;
}

}  // namespace

Value to_value(const ElementwiseCalibration& calibration) {
  ValueList models;
  for (const ElementwiseModel& model : calibration.models) models.push_back(model_value(model));
  return Value{ValueObject{{"models", Value{std::move(models)}}}};
}

Result<ElementwiseCalibration> read_elementwise_calibration(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* models = object == nullptr ? nullptr : find(*object, "models");
  const auto* list = models == nullptr ? nullptr : std::get_if<ValueList>(&models->data);
  if (list == nullptr) return input_error("elementwise: expected {\"models\": [...]}");
  ElementwiseCalibration calibration;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto model = read_model((*list)[i], "elementwise.models[" + std::to_string(i) + "]");
    if (!model) return model.error();
    calibration.models.push_back(std::move(*model));
  }
  return calibration;
}

}  // namespace tpsim
