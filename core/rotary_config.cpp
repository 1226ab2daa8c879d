#include "core/rotary_config.h"

#include "core/expression_functions.h"

namespace tpsim {
namespace {

const ValueObject* object_in(const Value* value) {
  return value == nullptr ? nullptr : std::get_if<ValueObject>(&value->data);
}

// rope_parameters, or rope_scaling of older files.
const ValueObject* parameters_of(const Config& config) {
  const ValueObject* found = object_in(config.find("rope_parameters"));
  return found != nullptr ? found : object_in(config.find("rope_scaling"));
}

// The parameters of a layer type; null where the object is not sorted by layer types.
const ValueObject* by_layer_type(const ValueObject& parameters, std::string_view layer_type) {
  if (!layer_type.empty()) return object_in(find(parameters, layer_type));
  for (const auto& [key, value] : parameters)
    if (const ValueObject* nested = object_in(&value)) return nested;
  return nullptr;
}

void read_number(const ValueObject& object, std::string_view key, double& into) {
  const Value* value = find(object, key);
  if (value == nullptr) return;
  if (const auto number = as_real(*value)) into = *number;
}

void read_numbers(const ValueObject& object, std::string_view key, std::vector<double>& into) {
  const Value* value = find(object, key);
  const auto* list = value == nullptr ? nullptr : std::get_if<ValueList>(&value->data);
  if (list == nullptr) return;
  for (const Value& element : *list) into.push_back(as_real(element).value_or(0));
}

void read_parameters(const ValueObject& object, Rotary& rotary) {
  for (const std::string_view key : {"type", "rope_type"})
    if (const Value* kind = find(object, key))
      if (const auto* text = std::get_if<std::string>(&kind->data)) rotary.kind = *text;
  if (rotary.kind == "su") rotary.kind = "longrope";
  read_number(object, "rope_theta", rotary.theta);
  read_number(object, "partial_rotary_factor", rotary.turned);
  read_number(object, "factor", rotary.factor);
  read_number(object, "low_freq_factor", rotary.low_freq_factor);
  read_number(object, "high_freq_factor", rotary.high_freq_factor);
  read_number(object, "beta_fast", rotary.beta_fast);
  read_number(object, "beta_slow", rotary.beta_slow);
  read_number(object, "attention_factor", rotary.attention_factor);
  read_number(object, "mscale", rotary.mscale);
  read_number(object, "mscale_all_dim", rotary.mscale_all_dim);
  read_number(object, "original_max_position_embeddings", rotary.original_positions);
  read_numbers(object, "short_factor", rotary.short_factor);
  read_numbers(object, "long_factor", rotary.long_factor);
  const Value* truncate = find(object, "truncate");
  if (truncate != nullptr) rotary.truncate = truthy(*truncate);
}

}  // namespace

void read_rotary(const Config& config, double theta, double max_positions, Rotary& rotary) {
  rotary.max_positions = max_positions;
  read_number(config.fields, "max_position_embeddings", rotary.max_positions);
  rotary.original_positions = rotary.max_positions;
  read_number(config.fields, "original_max_position_embeddings", rotary.original_positions);
  const ValueObject* parameters = parameters_of(config);
  const ValueObject* nested = parameters == nullptr ? nullptr : by_layer_type(*parameters, rotary.layer_type);
  if (rotary.theta > 0 && nested == nullptr) return;
  rotary.theta = theta;
  read_number(config.fields, "rope_theta", rotary.theta);
  if (nested != nullptr) parameters = nested;
  if (parameters != nullptr) read_parameters(*parameters, rotary);
}

}  // namespace tpsim
