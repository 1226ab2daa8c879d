// A training step's outcome for people and programs: what `tpsim run --phase train` says.
#pragma once

#include <string>
#include <vector>

#include "cli/json_writer.h"
#include "cli/table.h"
#include "exec/run_plan.h"

namespace tpsim::cli {

// A row per set of parameters that differ in their layer only: the worst of them.
Table gradient_table(const exec::RunOutcome& outcome);
std::vector<std::string> training_notes(const exec::RunOutcome& outcome);
// The member "train" of the document. `parameters`: every parameter's figures.
void write_training(JsonWriter& json, const exec::RunOutcome& outcome, bool parameters);

// "RIGHT: ...".
std::string training_verdict(const exec::RunOutcome& outcome);

}  // namespace tpsim::cli
