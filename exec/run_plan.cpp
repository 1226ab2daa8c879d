#include "exec/run_plan.h"

#include <algorithm>
#include <utility>

#include "exec/kept_memory.h"
#include "exec/memory_need.h"
#include "exec/plan_passes.h"
#include "exec/plan_rank.h"
#include "exec/training_rank.h"

namespace tpsim::exec {

bool real_numbers_met(const RunOutcome& outcome) {
  if (!outcome.training) return outcome.reference_inside;
  const auto& gradients = outcome.training->unsharded_vs_reference;
  return std::all_of(gradients.begin(), gradients.end(), [](const GradientError& g) { return g.inside; });
}

Result<RunOutcome> run_plan(const RunRequest& request, const RankLauncher& launch) {
  const auto passes = record_passes(request);
  if (!passes) return passes.error();
  const int ranks = passes->sharded.front().analysis.ranks();
  const std::int64_t needed = request.train ? training_bytes(*passes, request)
                                            : least_bytes(*passes, request.ranks_here.value_or(ranks), request.float64);
  const char* parts = request.train ? "every value of the pass, weights and as much again for gradients, of the "
                                      "unsharded model and of all ranks of this machine"
                                    : kInferenceParts;
  if (auto fits = check_memory(needed, available_bytes(), parts); !fits) return fits.error();
  keep_freed_memory();
  RunOutcome outcome;
  const auto done = launch(ranks, [&](Communicator& communicator) -> Result<void> {
    auto mine =
        request.train ? train_plan_rank(request, *passes, communicator) : run_plan_rank(request, *passes, communicator);
    if (!mine) return mine.error();
    if (communicator.rank() == 0) outcome = *std::move(mine);
    return {};
  });
  if (!done) return done.error();
  return outcome;
}

}  // namespace tpsim::exec
