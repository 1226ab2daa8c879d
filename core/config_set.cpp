// --set key=value.
#include <algorithm>

#include "core/config.h"
#include "core/json.h"

namespace tpsim {

namespace {

constexpr int kDeepestKey = 16;

Error bad_assignment(std::string_view assignment, const std::string& why) {
  Error error = usage_error("--set \"" + std::string(assignment) + "\": " + why);
  error.fixes.emplace_back(
      "--set num_hidden_layers=32      --set rope_scaling.factor=8      --set sliding_window=null");
  return error;
}

// JSON where it is JSON (also Python's True, False, None), bare text otherwise.
Result<Value> value_of(std::string_view text, std::string_view assignment) {
  if (text == "True") return Value{true};
  if (text == "False") return Value{false};
  if (text == "None") return Value{nullptr};
  auto value = parse_json(text, "--set " + std::string(assignment));
  if (value) return value;
  const bool meant_as_json = text.starts_with('{') || text.starts_with('[') || text.starts_with('"');
  if (meant_as_json) return value;
  return Value{std::string(text)};
}

Value& member(ValueObject& object, std::string_view key) {
  const auto found = std::find_if(object.begin(), object.end(), [&](const auto& entry) { return entry.first == key; });
  if (found != object.end()) return found->second;
  return object.emplace_back(std::string(key), Value{}).second;
}

// The object that `key`'s last part belongs to; missing objects on the way are made.
Result<ValueObject*> reach(ValueObject& fields, std::string_view& key, std::string_view assignment) {
  ValueObject* object = &fields;
  for (int depth = 0; key.find('.') != std::string_view::npos; ++depth) {
    if (depth == kDeepestKey) return bad_assignment(assignment, "more than 16 dots in the key");
    const std::string_view part = key.substr(0, key.find('.'));
    key.remove_prefix(part.size() + 1);
    if (part.empty()) return bad_assignment(assignment, "a part of the key is empty");
    Value& inner = member(*object, part);
    if (inner.is_null()) inner.data = ValueObject{};
    object = std::get_if<ValueObject>(&inner.data);
    if (object == nullptr) {
      return bad_assignment(assignment, "\"" + std::string(part) + "\" is " + type_name(inner) + ", not an object");
    }
  }
  return object;
}

// Members of Config that repeat a field.
void follow_field(Config& config, std::string_view key, const Value& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) return;
  if (key == "model_type") config.model_type = *text;
  if (key == "dtype" || key == "torch_dtype") config.dtype = *text;
}

}  // namespace

Result<void> set_field(Config& config, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return bad_assignment(assignment, "no '=' between key and value");
  if (equals + 1 == assignment.size()) return bad_assignment(assignment, "no value after '='");
  const std::string_view whole_key = assignment.substr(0, equals);
  auto value = value_of(assignment.substr(equals + 1), assignment);
  if (!value) return std::move(value).error();
  ValueObject fields = config.fields;  // so that nothing is changed where an error follows
  std::string_view key = whole_key;
  const auto object = reach(fields, key, assignment);
  if (!object) return object.error();
  if (key.empty()) return bad_assignment(assignment, "no key before '='");
  member(**object, key) = *value;
  config.fields = std::move(fields);
  follow_field(config, whole_key, *value);
  return {};
}

}  // namespace tpsim
