// The placed parameters of a model as Analysis states them: alike ones together, every rank's shape, ranges and bytes.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "core/placed_model.h"

namespace tpsim {

std::vector<ShardSpec> list_shards(const Machine& m, const Model& model, const PlacedModel& placed,
                                   const AnalysisRequest& request);

}  // namespace tpsim
