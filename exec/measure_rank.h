// A rank's passes repeated under the clock.
#pragma once

#include "core/measurement.h"
#include "exec/plan_passes.h"

namespace tpsim::exec {

struct Repeats {
  int warmup = 0;
  int iterations = 0;  // 0 = nothing is measured
};

// The prompt, and where the plan was recorded for it one step of decoding behind the prompt, each `repeats` times;
// every rank knows the result. Runs once before the first warm-up, to read the weights.
template <class Real>
Result<Measurement> measure(RankRun<Real>& rank, Communicator& communicator, const std::vector<Recorded>& passes,
                            const Tensor<Real>& ids, const Repeats& repeats);

}  // namespace tpsim::exec
