// A network's constants from sweeps of nccl-tests on a machine nobody has measured before.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/collective_sweep.h"
#include "sim/network/collectives_fit.h"

namespace tpsim {

struct SweepFit {
  CollectiveCalibration calibration;
  ErrorSummary before, after;  // of the rows: with the prior, with the fit
  std::vector<std::string> notes;
};

// Refused with a reason: rates above the link's, times that fall as sizes grow, wrong results (#wrong > 0), sweeps of
// other sizes than their rank counts say, times in other units. `prior` completes what a sweep cannot say.
Result<SweepFit> calibrate_collectives(std::span<const CollectiveSweep> sweeps, const Hardware& hardware,
                                       const CollectiveNetwork& prior);
Result<void> check_sweep(const CollectiveSweep& sweep, const Hardware& hardware);

}  // namespace tpsim
