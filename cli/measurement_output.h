// Measured runs as text and JSON.
#pragma once

#include "cli/document.h"
#include "cli/run_setup.h"
#include "core/measurement.h"

namespace tpsim::cli {

// One row per kind of call, those first that take the most of their pass.
Table measurement_table(const Measurement& measurement);

// For people with the module's own name: "linear up_proj".
Cell named_cell(const std::string& name, const CallGroup& calls);

void write_timing(JsonWriter& json, std::string_view name, const Timing& timing);
// Module, name, shape, bytes and count, into an open object.
void write_calls(JsonWriter& json, const CallGroup& calls);
// Inputs, machine and passes: all that tpsim validate --result needs.
void write_measurement(JsonWriter& json, const RunSetup& setup, const Options& options, const Measurement& measurement);

std::string processor_name();  // "unknown" where the system does not say

}  // namespace tpsim::cli
