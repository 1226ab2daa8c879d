#include "sim/kernel_time.h"

#include "sim/kernel_spec.h"

namespace tpsim {

Estimate kernel_time(const KernelCall& call, const Hardware& hardware) { return spec_estimate(call, hardware); }

}  // namespace tpsim
