// This machine, measured with the executor's own kernels: small decoder models run at several sizes, each call timed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/measurement.h"
#include "sim/calibration.h"
#include "sim/measured/table.h"

namespace tpsim::cli {

struct MachineRows {
  std::vector<MeasuredTable> tables;  // in the form of measured rows: gemm, elementwise, attention, collective
  Stack stack;                        // what passes between the calls
  std::string machine_text;           // a hardware profile (JSON)
  Hardware machine;
  std::string provenance;  // JSON object
};

// `dtype`: of everything but the matrix products, which are measured in fp32 and bf16. Takes about a minute.
Result<MachineRows> measure_machine(DType dtype);

// Time between the calls of passes, least squares of relative errors: `operation_us` for each, and a share of the small
// operations.
struct BetweenCalls {
  double kernels = 0, small_us = 0, other_us = 0, total_us = 0;  // of one pass
};
void fit_between_calls(const std::vector<BetweenCalls>& passes, Stack& stack);

}  // namespace tpsim::cli
