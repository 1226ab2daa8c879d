// The calibrations that come with tpsim, from the published tables: one per GPU that has rows, with what its siblings
// and donors add.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/kernels/elementwise_fit.h"
#include "sim/kernels/gemm_fit.h"

namespace tpsim {

struct ShippedFamily {
  std::string calibration;  // "h100-sxm"
  std::string family;       // "gemm"
  Value value;
  std::vector<FidelityLine> fidelity;
};
// The data sheet of a GPU by its name in rows.
using HardwareOf = std::function<Result<Hardware>(const std::string& gpu)>;
Result<std::vector<ShippedFamily>> fit_shipped_gemm(const MeasuredTable& table, const HardwareOf& hardware_of);
Result<std::vector<ShippedFamily>> fit_shipped_elementwise(const MeasuredTable& table, const HardwareOf& hardware_of);

// {"schema": "tpsim.calibration/1", "calibration": NAME, FAMILY: ...}, one line per model.
std::string calibration_text(const ShippedFamily& family);

}  // namespace tpsim
