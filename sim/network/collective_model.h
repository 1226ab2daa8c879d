// One model of a collective, apart from which one to take.
#pragma once

#include "sim/network/collectives.h"

namespace tpsim {

// us of one branch; infinite for rank counts it does not serve.
double branch_us(const CollectiveBranch& branch, CollectiveOp op, double bytes, int ranks);

struct ModelTime {
  double us = 0;
  const CollectiveBranch* branch = nullptr;  // the fastest
};
// By the branches, floor and copy alone.
ModelTime physics_time(const CollectiveModel& model, double bytes, int ranks);
// The same, corrected by the residuals; `physics_us` is what physics_time says.
double corrected_us(const CollectiveModel& model, double bytes, int ranks, double physics_us);
double corrected_us(const CollectiveModel& model, double bytes, int ranks);

// Works out `knots` for 2 to `most_ranks` ranks.
void prepare(CollectiveModel& model, int most_ranks);
// The same for all models; operations without one get that of a related operation.
void complete(CollectiveNetwork& network);

}  // namespace tpsim
