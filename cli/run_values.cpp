#include "cli/run_values.h"

#include <cstdio>

namespace tpsim::cli {

std::string size_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

void write_error(JsonWriter& json, std::string_view name, const std::optional<exec::ErrorSize>& error) {
  json.key(name);
  if (!error) return json.null();
  json.begin_object();
  json.member("max_abs", error->max_abs, kErrorDecimals);
  json.member("max_rel", error->max_rel, kErrorDecimals);
  json.member("rms", error->rms, kErrorDecimals);
  json.end_object();
}

void write_events(JsonWriter& json, std::string_view name, const std::vector<exec::ExecutedEvent>& events) {
  json.key(name);
  json.begin_array();
  for (const exec::ExecutedEvent& event : events) {
    json.begin_object();
    json.member("op", to_string(event.op));
    json.member("module", event.module);
    json.array("input_shape", event.input);
    json.member("numel", event.input.numel());
    json.end_object();
  }
  json.end_array();
}

}  // namespace tpsim::cli
