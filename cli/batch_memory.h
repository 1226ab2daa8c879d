// Memory of the ranks for any number of sequences, from few analyses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/analysis.h"
#include "core/result.h"

namespace tpsim::cli {

// Peaks are maxima of sums that grow evenly with the batch: convex. So where the middle of two batches lies on the line
// between them, all batches between do, and the figures are exact; elsewhere the span is halved.
class BatchMemory {
public:
  using Analyse = std::function<Result<std::vector<RankMemory>>(std::int64_t batch)>;
  static Result<BatchMemory> of(std::int64_t most, const Analyse& analyse);

  // 1 <= batch <= most.
  std::vector<RankMemory> at(std::int64_t batch) const;

private:
  Result<void> add(std::int64_t batch, const Analyse& analyse);
  Result<void> settle(std::int64_t low, std::int64_t high, const Analyse& analyse);

  std::map<std::int64_t, std::vector<RankMemory>> known_;  // lines in between
};

}  // namespace tpsim::cli
