// One rank's part of a training step that is judged against the unsharded model's.
#pragma once

#include "exec/plan_passes.h"
#include "exec/run_plan.h"

namespace tpsim::exec {

// Called by all ranks; what they return is alike but for the executed events.
Result<RunOutcome> train_plan_rank(const RunRequest& request, const PlanPasses& passes, Communicator& communicator);

}  // namespace tpsim::exec
