// Times over sizes, one series per rank count: what the residual grid of a collective is made of.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "sim/network/collectives_fit.h"

namespace tpsim {

struct SeriesPoint {
  double log2_bytes = 0, log_us = 0;
};
using Series = std::vector<SeriesPoint>;  // rising sizes, times that do not fall

// Rows of one operation, by rank count. Points far above a larger message's time are dropped, other falls are
// levelled.
std::map<int, Series> series_of(std::span<const MeasuredCollective> rows);

// Interpolated; as it stays beyond the ends.
double log_us_at(const Series& series, double log2_bytes);

// The same on another GPU with such links.
struct SisterSeries {
  bool same_host = false;  // the same topology, too
  std::map<int, Series> series;
};

// ln(measured / branches) over sizes and ranks. Sisters stand in for rank counts that `own` lacks, those on the same
// kind of host before others: what a sister's time is above the branches, moved by what the own times are above the
// sister's where both were measured.
ResidualGrid fit_residual(const CollectiveModel& model, const std::map<int, Series>& own,
                          std::span<const SisterSeries> sisters);

}  // namespace tpsim
