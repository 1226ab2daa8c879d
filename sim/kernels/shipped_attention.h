// The calibrations of attention, latent attention and routed experts that come with tpsim, from the published tables.
#pragma once

#include <vector>

#include "sim/kernels/shipped_fit.h"

namespace tpsim {

// Families "attention" and "mla", one of each per GPU that has rows.
Result<std::vector<ShippedFamily>> fit_shipped_attention(const MeasuredTable& prefill, const MeasuredTable& decode,
                                                         const HardwareOf& hardware_of);
Result<std::vector<ShippedFamily>> fit_shipped_mla(const MeasuredTable& table, const HardwareOf& hardware_of);
// Family "moe".
Result<std::vector<ShippedFamily>> fit_shipped_moe(const MeasuredTable& table, const HardwareOf& hardware_of);

}  // namespace tpsim
