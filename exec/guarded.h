// A rank's work with the standard library's exceptions turned into errors.
#pragma once

#include <functional>

#include "exec/communicator.h"

namespace tpsim::exec {

using RankBody = std::function<Result<void>(Communicator&)>;

Result<void> guarded(const RankBody& body, Communicator& communicator);

}  // namespace tpsim::exec
