// What the JSON of kernel models has in common.
#pragma once

#include <string>

#include "sim/fit/errors.h"
#include "sim/fit/object_reader.h"
#include "sim/fit/residual_grid.h"
#include "sim/kernels/gemm.h"

namespace tpsim {

// "device", "constants", "band", "far_band", "residual" behind the members of `object`. Model: has these members and
// those of a fit: source, origin, rows. Fields: name, member, low, high.
template <class Model, class Fields>
void add_fitted(ValueObject& object, const Model& model, const Fields& fields) {
  ValueObject constants;
  for (const auto& f : fields) constants.emplace_back(f.name, shortened(model.constants.*(f.member)));
  object.emplace_back("origin", Value{model.origin});
  object.emplace_back("source", Value{std::string(to_string(model.source))});
  object.emplace_back("rows", Value{std::int64_t{model.rows}});
  object.emplace_back("device", Value{ValueObject{{"flops_per_us", shortened(model.device.flops)},
                                                  {"bytes_per_us", shortened(model.device.bandwidth)},
                                                  {"multiprocessors", shortened(model.device.multiprocessors)},
                                                  {"l2_bytes", shortened(model.device.l2)}}});
  object.emplace_back("constants", Value{std::move(constants)});
  object.emplace_back("band", to_value(model.band));
  object.emplace_back("far_band", shortened(model.far_band));
  object.emplace_back("residual", to_value(model.residual));
}

// Reads what add_fitted wrote. Errors: members missing, out of range, grids of other axes.
template <class Model, class Fields>
Result<void> read_fitted(ObjectReader& reader, const std::string& where, Model& model, const Fields& fields,
                         std::size_t axes) {
  model.origin = reader.text("origin");
  model.source = reader.source("source");
  model.rows = static_cast<int>(reader.number("rows", 0, 1e9));
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
  for (const auto& f : fields) model.constants.*(f.member) = of_constants.number(f.name, f.low, f.high);
  if (of_constants.error()) return *of_constants.error();
  auto widths = read_band(*band);
  if (!widths) return input_error(where + ".band: " + widths.error().message);
  model.band = std::move(*widths);
  auto grid = read_residual_grid(*residual);
  if (!grid) return input_error(where + ".residual: " + grid.error().message);
  if (!grid->empty() && grid->axes().size() != axes)
    return input_error(where + ".residual: needs " + std::to_string(axes) + " axes");
  model.residual = std::move(*grid);
  return {};
}

// {"models": [...]}, each read by `read_one(value, where)`.
template <class Model, class ReadOne>
Result<std::vector<Model>> read_models(const Value& value, const std::string& family, const ReadOne& read_one) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* models = object == nullptr ? nullptr : find(*object, "models");
  const auto* list = models == nullptr ? nullptr : std::get_if<ValueList>(&models->data);
  if (list == nullptr) return input_error(family + ": expected {\"models\": [...]}");
  std::vector<Model> all;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Result<Model> model = read_one((*list)[i], family + ".models[" + std::to_string(i) + "]");
    if (!model) return model.error();
    all.push_back(std::move(*model));
  }
  return all;
}

}  // namespace tpsim
