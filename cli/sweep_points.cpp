#include "cli/sweep_points.h"

#include <algorithm>

namespace tpsim::cli {

Lengths lengths_at(const SweepGrid& grid, std::int64_t inner) {
  const auto at = [&](const char* flag) { return grid.value(flag, inner); };
  return lengths_or_default(at("batch"), at("prompt"), at("ctx"), at("gen"), at("chunk"));
}

Lengths largest_lengths(const SweepGrid& grid) {
  const auto of = [&](const char* flag) { return grid.largest(flag); };
  Lengths most = lengths_or_default(of("batch"), of("prompt"), of("ctx"), of("gen"), of("chunk"));
  most.prompt = std::min(most.prompt, most.context);
  most.generate = std::min(most.generate, most.context - most.prompt);
  return most;
}

int tp_of_cell(const Options& options) {
  return options.tp && !options.tp->sizes.empty() ? options.tp->sizes.front() : 1;
}

}  // namespace tpsim::cli
