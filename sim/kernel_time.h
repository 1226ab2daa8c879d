// Time of one kernel: from the hardware's calibration where it has the family, else from the data sheet.
#pragma once

#include "sim/estimate.h"
#include "sim/hardware.h"
#include "sim/kernel.h"

namespace tpsim {

Estimate kernel_time(const KernelCall& call, const Hardware& hardware);

}  // namespace tpsim
