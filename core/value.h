// A JSON-like value: what a config field holds and what an expression of an architecture file evaluates to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tpsim {

struct Value;
using ValueList = std::vector<Value>;
using ValueObject = std::vector<std::pair<std::string, Value>>;  // in order of the text

struct Value {
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, ValueList, ValueObject> data = nullptr;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data); }
  bool operator==(const Value&) const = default;
};

// nullptr where `object` has no such key.
const Value* find(const ValueObject& object, std::string_view key);
// "null", "true", "an integer", ...: for messages.
const char* type_name(const Value& value);
// Compact JSON.
std::string to_json(const Value& value);

}  // namespace tpsim
