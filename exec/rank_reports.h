// What every rank found, on every rank.
#pragma once

#include <vector>

#include "exec/communicator.h"
#include "exec/module_outputs.h"

namespace tpsim::exec {

// `mine`: errors of the modules in order of the calls, which is the same on all ranks. By rank.
Result<std::vector<std::vector<ModuleError>>> gather_errors(Communicator& communicator,
                                                            const std::vector<ModuleError>& mine);

}  // namespace tpsim::exec
