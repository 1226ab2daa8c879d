// Collectives by alpha-beta models: fixed time, a latency per step, bytes over the rate of the links.
#pragma once

#include "core/collective.h"
#include "sim/hardware.h"

namespace tpsim {

struct CollectiveCost {
  Seconds time{};
  const char* algorithm = "none";  // "one-shot", "two-shot", "ring LL", "ring", "direct", "hierarchical"
};

// `bytes` of the full (gathered, reduced, exchanged) tensor over `group` ranks that fill one node after the other. No
// time for one rank. The fastest algorithm is taken.
CollectiveCost collective_cost(CollectiveOp op, double bytes, int group, const Hardware& hardware);

// Bus over algorithm bandwidth as nccl-tests defines it: 2(n-1)/n for all_reduce, (n-1)/n for all_gather,
// reduce_scatter and all_to_all, 1 otherwise.
double bus_factor(CollectiveOp op, int group);

}  // namespace tpsim
