// The collective part of the calibrations that come with tpsim.
#pragma once

#include "sim/kernels/shipped_fit.h"
#include "sim/network/collectives_fit.h"

namespace tpsim {

// From tables of the form of collective.csv and moe_alltoall.csv: one family "collectives" per GPU.
Result<std::vector<ShippedFamily>> fit_shipped_collectives(const MeasuredTable& collectives,
                                                           const MeasuredTable& exchanges,
                                                           const HardwareOf& hardware_of);

}  // namespace tpsim
