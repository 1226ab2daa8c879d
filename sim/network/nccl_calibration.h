// A network's constants from measurements on a machine that nobody has measured before: sweeps of nccl-tests, or rows.
#pragma once

#include <span>

#include "core/collective_sweep.h"
#include "sim/network/few_rows_fit.h"

namespace tpsim {

// Reasons to refuse a sweep: ranks not known, few rows, wrong results, each size twice, rates that contradict sizes and
// times, rates above the link's, times that fall as sizes grow, rows of other rank counts.
Result<void> check_sweep(const CollectiveSweep& sweep, const Hardware& hardware);

// `prior` says what the measurements cannot: usually network_of(hardware, its calibration if it has one).
Result<NetworkFit> calibrate_collectives(std::span<const CollectiveSweep> sweeps, const Hardware& hardware,
                                         const CollectiveNetwork& prior);
Result<NetworkFit> calibrate_collectives(std::span<const MeasuredCollective> rows, const Hardware& hardware,
                                         const CollectiveNetwork& prior);

}  // namespace tpsim
