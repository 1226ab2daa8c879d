#include <cmath>
#include <optional>

#include "sim/kernels/gemm.h"

namespace tpsim {
namespace {

// Four significant digits: constants are not better known.
Value shortened(double x) {
  if (x == 0 || !std::isfinite(x)) return Value{0.0};
  const double unit = std::pow(10.0, 3 - std::floor(std::log10(std::abs(x))));
  return Value{std::round(x * unit) / unit};
}

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

// Reads members of one object; the first fault is kept.
class Reader {
public:
  Reader(const Value& value, std::string where) : where_(std::move(where)) {
    object_ = std::get_if<ValueObject>(&value.data);
    if (object_ == nullptr) fail(std::string("expected an object, not ") + type_name(value));
  }

  double number(const char* name, double low, double high) {
    const Value* v = member(name);
    if (v == nullptr) return low;
    const auto* i = std::get_if<std::int64_t>(&v->data);
    const auto* d = std::get_if<double>(&v->data);
    const double x = i != nullptr ? static_cast<double>(*i) : d != nullptr ? *d : std::nan("");
    if (!(x >= low && x <= high))
      fail("\"" + std::string(name) + "\" is " + to_json(*v).substr(0, 40) + ": expected a number from " +
           to_json(Value{low}) + " to " + to_json(Value{high}));
    return x;
  }
  std::string text(const char* name) {
    const Value* v = member(name);
    const auto* t = v == nullptr ? nullptr : std::get_if<std::string>(&v->data);
    if (v != nullptr && t == nullptr) fail("\"" + std::string(name) + "\": expected text");
    return t == nullptr ? std::string() : *t;
  }
  bool flag(const char* name) {
    const Value* v = member(name);
    const auto* b = v == nullptr ? nullptr : std::get_if<bool>(&v->data);
    if (v != nullptr && b == nullptr) fail("\"" + std::string(name) + "\": expected true or false");
    return b != nullptr && *b;
  }
  const Value* member(const char* name) {
    const Value* v = object_ == nullptr ? nullptr : find(*object_, name);
    if (v == nullptr) fail("\"" + std::string(name) + "\" is missing");
    return v;
  }
  void fail(const std::string& what) {
    if (!error_) error_ = input_error(where_ + ": " + what);
  }
  const std::optional<Error>& error() const { return error_; }

private:
  std::string where_;
  const ValueObject* object_ = nullptr;
  std::optional<Error> error_;
};

NumberSource source_of(Reader& reader) {
  const std::string name = reader.text("source");
  for (NumberSource s :
       {NumberSource::measured, NumberSource::calibrated, NumberSource::transferred, NumberSource::spec})
    if (name == to_string(s)) return s;
  reader.fail("\"source\": expected measured, calibrated, transferred or spec");
  return NumberSource::spec;
}

Result<GemmModel> read_model(const Value& value, const std::string& where) {
  Reader reader(value, where);
  GemmModel model;
  model.kernel = reader.text("kernel");
  model.origin = reader.text("origin");
  model.source = source_of(reader);
  model.rows = static_cast<int>(reader.number("rows", 0, 1e9));
  model.operand_bytes = reader.number("operand_bytes", 0.1, 16);
  model.quantises = reader.flag("quantises");
  model.far_band = reader.number("far_band", 0, 10);
  const Value* device = reader.member("device");
  const Value* constants = reader.member("constants");
  const Value* band = reader.member("band");
  const Value* residual = reader.member("residual");
  if (reader.error()) return *reader.error();

  Reader of_device(*device, where + ".device");
  model.device = {of_device.number("flops_per_us", 1, 1e15), of_device.number("bytes_per_us", 1, 1e12),
                  of_device.number("multiprocessors", 1, 1e6), of_device.number("l2_bytes", 0, 1e15)};
  if (of_device.error()) return *of_device.error();
  Reader of_constants(*constants, where + ".constants");
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
