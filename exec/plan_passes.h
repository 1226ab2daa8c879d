// The two models of one request, recorded for the prompt and for each token after it.
#pragma once

#include <vector>

#include "exec/rank_run.h"
#include "exec/run_plan.h"

namespace tpsim::exec {

struct PlanPasses {
  std::vector<Recorded> unsharded, sharded;
};

// Errors: a forward pass that is not described, an operation without a kernel. A plan that raises has one sharded pass,
// which cannot be run.
Result<PlanPasses> record_passes(const RunRequest& request);

std::int64_t bytes_of_outputs(const Recorded& pass, std::int64_t size_of_number);

// What the ranks of this machine keep for a training step: values and parameters, and as much again for gradients.
std::int64_t training_bytes(const PlanPasses& passes, const RunRequest& request);

// Longest sum of one matrix product of the model.
std::int64_t longest_reduction(const Model& model);

}  // namespace tpsim::exec
