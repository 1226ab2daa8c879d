// What expressions can call, and Python's view of values: numbers, order, equality, truth.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/value.h"

namespace tpsim {

struct ExpressionFunction {
  std::string_view name;
  std::size_t least, most;                                    // arguments
  std::optional<Value> (*apply)(const ValueList& arguments);  // nullopt where they do not fit
};
std::span<const ExpressionFunction> expression_functions();

bool truthy(const Value& value);
// Integers and booleans.
std::optional<std::int64_t> as_integer(const Value& value);
// Integers, booleans and other numbers.
std::optional<double> as_real(const Value& value);
// Of two numbers or two strings; nullopt where they have no order.
std::optional<std::partial_ordering> order(const Value& a, const Value& b);
// 1 == 1.0 == true.
bool equal(const Value& a, const Value& b);
// item in container; nullopt where that has no meaning.
std::optional<bool> contains(const Value& container, const Value& item);

}  // namespace tpsim
