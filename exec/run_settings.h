// What inference and training steps of one request have in common.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "exec/executed_event.h"
#include "exec/rank_run.h"
#include "exec/run_plan.h"

namespace tpsim::exec {

// Half the distance of two neighbouring numbers at 1.
double epsilon_of(const RunRequest& request);
Rounding rounding_of(DType dtype);

// The analysis' events in the form of executed ones; where routing decides a size, that of `executed`.
std::vector<ExecutedEvent> analysed_events(const Analysis& analysis, EventList list,
                                           const std::vector<ExecutedEvent>& executed);

}  // namespace tpsim::exec
