// A network's constants from sweeps of nccl-tests on a machine that nobody has measured before.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/collective_sweep.h"
#include "sim/network/collectives.h"

namespace tpsim {

struct SweepFit {
  CollectiveCalibration calibration;  // one network
  // Of the rows: with the prior, with the fit, and with fits that saw only every other size.
  ErrorSummary before, after, held_out;
  std::vector<std::string> notes;
};

// Reasons to refuse a sweep: ranks not known, few rows, wrong results, each size twice, rates that contradict sizes and
// times, rates above the link's, times that fall as sizes grow, rows of other rank counts.
Result<void> check_sweep(const CollectiveSweep& sweep, const Hardware& hardware);

// `prior` says what the sweeps cannot: other operations, rank counts and stacks are scaled from it.
Result<SweepFit> calibrate_collectives(std::span<const CollectiveSweep> sweeps, const Hardware& hardware,
                                       const CollectiveNetwork& prior);

}  // namespace tpsim
