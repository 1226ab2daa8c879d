// What traces of the PyTorch profiler say about single operations, in the form of measured rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/hardware.h"
#include "sim/measured/table.h"
#include "traces/kineto.h"

namespace tpsim::cli {

// Products by shape and type: the median time of all kernels that one launched. Collectives by operation, bytes and
// ranks: the shortest time, since in longer ones a rank waited for others. `hardware` tells how many ranks a node has.
// Tables without rows are left out; notes say what was used and what was not. Errors: nothing that can be used.
struct TraceRows {
  std::vector<MeasuredTable> tables;
  std::vector<std::string> notes;
};
Result<TraceRows> rows_of_traces(std::span<const KinetoTrace> traces, const Hardware& hardware);

}  // namespace tpsim::cli
