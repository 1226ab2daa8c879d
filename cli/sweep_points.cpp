#include "cli/sweep_points.h"

#include <algorithm>

namespace tpsim::cli {

Lengths lengths_at(const SweepGrid& grid, std::int64_t inner) {
  return lengths_or_default(grid.value("batch", inner), grid.value("prompt", inner), grid.value("ctx", inner));
}

Lengths largest_lengths(const SweepGrid& grid) {
  Lengths most = lengths_or_default(grid.largest("batch"), grid.largest("prompt"), grid.largest("ctx"));
  most.prompt = std::min(most.prompt, most.context);
  return most;
}

int tp_of_cell(const Options& options) {
  return options.tp && !options.tp->sizes.empty() ? options.tp->sizes.front() : 1;
}

}  // namespace tpsim::cli
