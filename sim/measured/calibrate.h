// From a user's own measurements to a calibration.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/collective_sweep.h"
#include "sim/calibration.h"
#include "sim/fit/errors.h"
#include "sim/hardware.h"
#include "sim/measured/table.h"

namespace tpsim {

// What one family's rows did to its errors.
struct CalibratedFamily {
  std::string family;  // "gemm"
  std::size_t rows = 0;
  ErrorSummary before;  // with what held for the hardware before
  ErrorSummary after;   // each row with a fit that has not seen its group (width, head count, size)
  std::vector<std::string> notes;
};

struct CalibrationFit {
  Calibration calibration;
  std::vector<CalibratedFamily> families;
};

// Starts from the hardware's own calibration, so few rows change little beyond what they say. Errors: rows of several
// GPUs, times that are faster than the hardware could be or all the same, times in another unit, tables that cannot
// be fitted.
Result<CalibrationFit> calibrate(std::span<const MeasuredTable> tables, std::span<const CollectiveSweep> sweeps,
                                 const Hardware& hardware);

}  // namespace tpsim
