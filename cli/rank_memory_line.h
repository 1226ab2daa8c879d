// Memory of the ranks along a whole number (sequences, chunks of a prompt), from few analyses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/analysis.h"
#include "core/result.h"

namespace tpsim::cli {

// Peaks are maxima of sums that grow evenly with it: convex. So where the middle of two places lies on the line between
// them, all places between do, and the figures are exact; elsewhere the span is halved.
class RankMemoryLine {
public:
  using Analyse = std::function<Result<std::vector<RankMemory>>(std::int64_t batch)>;
  static Result<RankMemoryLine> of(std::int64_t most, const Analyse& analyse);

  // 1 <= batch <= most.
  std::vector<RankMemory> at(std::int64_t batch) const;

private:
  Result<void> add(std::int64_t batch, const Analyse& analyse);
  Result<void> settle(std::int64_t low, std::int64_t high, const Analyse& analyse);

  std::map<std::int64_t, std::vector<RankMemory>> known_;  // lines in between
};

}  // namespace tpsim::cli
