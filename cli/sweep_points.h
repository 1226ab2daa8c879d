// Points of a sweep's grid as workloads.
#pragma once

#include <cstdint>

#include "cli/scenario.h"
#include "cli/sweep_axes.h"

namespace tpsim::cli {

// `inner`: the point inside its cell.
Lengths lengths_at(const SweepGrid& grid, std::int64_t inner);
// The largest of each length: where the short way is tried.
Lengths largest_lengths(const SweepGrid& grid);
// The one TP size of a cell's options, 1 where none is given.
int tp_of_cell(const Options& options);

}  // namespace tpsim::cli
