// One GPU for one rank.
#pragma once

#include <memory>

#include "exec/device.h"

namespace tpsim::exec::cuda {

std::unique_ptr<Device> cuda_device(int gpu, bool (*stopped)());

}  // namespace tpsim::exec::cuda
