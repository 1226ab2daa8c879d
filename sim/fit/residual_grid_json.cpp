#include <cmath>
#include <limits>
#include <optional>

#include "sim/fit/residual_grid.h"

namespace tpsim {
namespace {

std::optional<double> number_in(const Value& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*i);
  if (const auto* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

// Six decimals are enough for a logarithm and keep the file short.
Value six_decimals(double x) { return Value{std::round(x * 1e6) / 1e6}; }

Result<GridAxis> read_axis(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  if (object == nullptr) return input_error(std::string("an axis is an object, not ") + type_name(value));
  GridAxis axis;
  for (const auto& [key, entry] : *object) {
    if (const auto* text = std::get_if<std::string>(&entry.data); key == "name" && text != nullptr) {
      axis.name = *text;
    } else if (const auto fade = number_in(entry); (key == "fade_low" || key == "fade_high") && fade) {
      (key == "fade_low" ? axis.fade_low : axis.fade_high) = *fade;
    } else if (const auto* list = std::get_if<ValueList>(&entry.data); key == "knots" && list != nullptr) {
      for (const Value& knot : *list) {
        const auto x = number_in(knot);
        if (!x) return input_error(std::string("a knot is a number, not ") + type_name(knot));
        axis.knots.push_back(*x);
      }
    } else {
      return input_error("\"" + key +
                         "\" of an axis: expected name (text), knots (numbers), fade_low, fade_high (numbers)");
    }
  }
  return axis;
}

}  // namespace

Value to_value(const ResidualGrid& grid) {
  ValueList axes, values;
  for (const GridAxis& axis : grid.axes()) {
    ValueList knots;
    for (double knot : axis.knots) knots.push_back(six_decimals(knot));
    ValueObject object{{"name", Value{axis.name}}, {"knots", Value{std::move(knots)}}};
    if (axis.fade_low > 0) object.emplace_back("fade_low", six_decimals(axis.fade_low));
    if (axis.fade_high > 0) object.emplace_back("fade_high", six_decimals(axis.fade_high));
    axes.push_back(Value{std::move(object)});
  }
  for (std::int16_t v : grid.values()) values.push_back(Value{std::int64_t{v}});
  return Value{ValueObject{{"axes", Value{std::move(axes)}}, {"values", Value{std::move(values)}}}};
}

Result<ResidualGrid> read_residual_grid(const Value& value) {
  const auto* object = std::get_if<ValueObject>(&value.data);
  const Value* axes_value = object == nullptr ? nullptr : find(*object, "axes");
  const Value* values_value = object == nullptr ? nullptr : find(*object, "values");
  const auto* axis_list = axes_value == nullptr ? nullptr : std::get_if<ValueList>(&axes_value->data);
  const auto* value_list = values_value == nullptr ? nullptr : std::get_if<ValueList>(&values_value->data);
  if (axis_list == nullptr || value_list == nullptr)
    return input_error("a residual grid is {\"axes\": [...], \"values\": [...]}");
  std::vector<GridAxis> axes;
  for (const Value& entry : *axis_list) {
    auto axis = read_axis(entry);
    if (!axis) return axis.error();
    axes.push_back(std::move(*axis));
  }
  std::vector<std::int16_t> values;
  values.reserve(value_list->size());
  for (const Value& entry : *value_list) {
    const auto* i = std::get_if<std::int64_t>(&entry.data);
    if (i == nullptr || *i < std::numeric_limits<std::int16_t>::min() || *i > std::numeric_limits<std::int16_t>::max())
      return input_error("values of a residual grid are integers from -32768 to 32767");
    values.push_back(static_cast<std::int16_t>(*i));
  }
  return ResidualGrid::make(std::move(axes), std::move(values));
}

}  // namespace tpsim
