// Ranks that are threads of this process.
#pragma once

#include "exec/guarded.h"

namespace tpsim::exec {

// Runs body(communicator) on `ranks` threads and returns the first error, by rank. One rank runs on the calling thread.
Result<void> run_on_threads(int ranks, const RankBody& body);

}  // namespace tpsim::exec
