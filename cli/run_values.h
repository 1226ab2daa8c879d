// Figures of a run in tables and documents.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/json_writer.h"
#include "exec/compare.h"
#include "exec/executed_event.h"

namespace tpsim::cli {

inline constexpr int kErrorDecimals = 12;

// For people: three digits.
std::string size_text(double value);
void write_error(JsonWriter& json, std::string_view name, const std::optional<exec::ErrorSize>& error);
void write_events(JsonWriter& json, std::string_view name, const std::vector<exec::ExecutedEvent>& events);

}  // namespace tpsim::cli
