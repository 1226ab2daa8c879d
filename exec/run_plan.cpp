#include "exec/run_plan.h"

#include <utility>

#include "exec/memory_need.h"
#include "exec/plan_passes.h"
#include "exec/plan_rank.h"

namespace tpsim::exec {

Result<RunOutcome> run_plan(const RunRequest& request, const RankLauncher& launch) {
  const auto passes = record_passes(request);
  if (!passes) return passes.error();
  const int ranks = passes->sharded.front().analysis.ranks();
  const std::int64_t needed = least_bytes(*passes, request.ranks_here.value_or(ranks), request.float64);
  if (auto fits = check_memory(needed, available_bytes()); !fits) return fits.error();
  RunOutcome outcome;
  const auto done = launch(ranks, [&](Communicator& communicator) -> Result<void> {
    auto mine = run_plan_rank(request, *passes, communicator);
    if (!mine) return mine.error();
    if (communicator.rank() == 0) outcome = *std::move(mine);
    return {};
  });
  if (!done) return done.error();
  return outcome;
}

}  // namespace tpsim::exec
