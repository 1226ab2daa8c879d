// One rank's part of a run: rank 0 runs the unsharded model first, then all ranks run the sharded one together. Ranks
// know of one another through the communicator only.
#pragma once

#include "exec/communicator.h"
#include "exec/plan_passes.h"
#include "exec/run_plan.h"

namespace tpsim::exec {

// The outcome as this rank knows it: what only the unsharded run tells is known on rank 0.
Result<RunOutcome> run_plan_rank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator);

}  // namespace tpsim::exec
