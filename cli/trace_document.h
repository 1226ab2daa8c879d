// Passes as a trace for viewers and as a table: predicted on every rank and, where a run was measured, beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/json_writer.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/timeline.h"
#include "sim/hardware.h"
#include "sim/stack.h"

namespace tpsim::cli {

struct TracedPass {
  std::string name;  // "prefill"
  Analysis analysis;
  Prediction time;
  std::optional<PassMeasurement> measured;
};

struct TracedRun {
  std::string model, plan;
  int tp = 1;
  Hardware hardware;
  Stack stack;
  std::vector<TracedPass> passes;  // one after the other
};

// One process per rank: a thread for the model's parts, one for computation, one for communication; a measured run is
// one process more, the slowest rank.
void write_trace(JsonWriter& json, const TracedRun& run);

// One row per span of rank 0, in order.
Table trace_table(const TracedRun& run);

}  // namespace tpsim::cli
