#include "sim/network/collective_series.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "sim/network/collective_model.h"

namespace tpsim {
namespace {

constexpr double kOutlier = 2;    // times a larger message's time
constexpr double kKnotGap = 0.9;  // octaves
constexpr double kMostCorrection = 1.4;

void drop_outliers(Series& series) {
  double least = std::numeric_limits<double>::infinity();
  for (auto it = series.rbegin(); it != series.rend(); ++it) {
    if (it->log_us > least + std::log(kOutlier))
      it->log_us = std::numeric_limits<double>::quiet_NaN();
    else
      least = std::min(least, it->log_us);
  }
  std::erase_if(series, [](const SeriesPoint& p) { return std::isnan(p.log_us); });
}

// Pool adjacent violators: the nearest series that does not fall.
void level_falls(Series& series) {
  struct Pool {
    double sum;
    std::size_t count;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  for (const SeriesPoint& p : series) {
    pools.push_back({p.log_us, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      pools[pools.size() - 2].sum += pools.back().sum;
      pools[pools.size() - 2].count += pools.back().count;
      pools.pop_back();
    }
  }
  std::size_t i = 0;
  for (const Pool& pool : pools)
    for (std::size_t k = 0; k < pool.count; ++k) series[i++].log_us = pool.mean();
}

double log_physics(const CollectiveModel& model, double log2_bytes, int ranks) {
  return std::log(physics_time(model, std::exp2(log2_bytes), ranks).us);
}

// own - sister at rank counts both have, interpolated over log2(ranks); none where they share none.
std::optional<double> offset_at(const std::map<int, Series>& own, const std::map<int, Series>& sister, int ranks,
                                double log2_bytes) {
  std::optional<std::pair<double, double>> below, above;  // log2(ranks), offset
  for (const auto& [n, series] : own) {
    const auto it = sister.find(n);
    if (it == sister.end()) continue;
    const std::pair<double, double> at{std::log2(n), log_us_at(series, log2_bytes) - log_us_at(it->second, log2_bytes)};
    if (n < ranks) below = at;
    if (n > ranks && !above) above = at;
  }
  if (!below && !above) return std::nullopt;
  if (!below) return above->second;
  if (!above) return below->second;
  const double upper = (std::log2(ranks) - below->first) / (above->first - below->first);
  return below->second + upper * (above->second - below->second);
}

void add_samples(const CollectiveModel& model, const std::map<int, Series>& series, std::vector<GridSample>& samples) {
  for (const auto& [ranks, points] : series)
    for (const SeriesPoint& p : points)
      samples.push_back({{p.log2_bytes, std::log2(ranks)}, p.log_us - log_physics(model, p.log2_bytes, ranks), 1});
}

bool is_within(const std::map<int, Series>& own, double log2_bytes) {
  return std::any_of(own.begin(), own.end(), [&](const auto& entry) {
    return log2_bytes >= entry.second.front().log2_bytes && log2_bytes <= entry.second.back().log2_bytes;
  });
}

void add_sister(const CollectiveModel& model, const std::map<int, Series>& own, const std::map<int, Series>& sister,
                const std::set<int>& known, std::set<int>& ranks_seen, std::vector<GridSample>& samples) {
  for (const auto& [ranks, points] : sister) {
    if (known.count(ranks) > 0) continue;
    for (const SeriesPoint& p : points) {
      if (!is_within(own, p.log2_bytes)) continue;
      const auto offset = offset_at(own, sister, ranks, p.log2_bytes);
      if (!offset) continue;
      ranks_seen.insert(ranks);
      samples.push_back(
          {{p.log2_bytes, std::log2(ranks)}, p.log_us + *offset - log_physics(model, p.log2_bytes, ranks), 0.5});
    }
  }
}

}  // namespace

std::map<int, Series> series_of(std::span<const MeasuredCollective> rows) {
  std::map<int, Series> all;
  for (const MeasuredCollective& r : rows)
    all[r.shape.ranks].push_back({std::log2(std::max(r.shape.bytes, 1.0)), std::log(r.us)});
  for (auto& [ranks, series] : all) {
    std::stable_sort(series.begin(), series.end(),
                     [](const SeriesPoint& a, const SeriesPoint& b) { return a.log2_bytes < b.log2_bytes; });
    drop_outliers(series);
    level_falls(series);
  }
  return all;
}

double log_us_at(const Series& series, double x) {
  if (x <= series.front().log2_bytes) return series.front().log_us;
  if (x >= series.back().log2_bytes) return series.back().log_us;
  const auto above = std::upper_bound(series.begin(), series.end(), x,
                                      [](double at, const SeriesPoint& p) { return at < p.log2_bytes; });
  const auto below = above - 1;
  const double upper = (x - below->log2_bytes) / (above->log2_bytes - below->log2_bytes);
  return below->log_us + upper * (above->log_us - below->log_us);
}

ResidualGrid fit_residual(const CollectiveModel& model, const std::map<int, Series>& own,
                          std::span<const SisterSeries> sisters) {
  std::vector<GridSample> samples;
  add_samples(model, own, samples);
  std::set<int> ranks_seen;
  for (const auto& [ranks, series] : own) ranks_seen.insert(ranks);
  for (const bool same_host : {true, false}) {
    const std::set<int> known = ranks_seen;
    for (const SisterSeries& sister : sisters)
      if (sister.same_host == same_host) add_sister(model, own, sister.series, known, ranks_seen, samples);
  }
  if (samples.empty()) return {};
  std::vector<double> sizes, ranks;
  for (const auto& [n, series] : own)
    for (const SeriesPoint& p : series) sizes.push_back(p.log2_bytes);
  for (const int n : ranks_seen) ranks.push_back(std::log2(n));
  GridOptions options;
  options.smoothness = {0.01, 0};
  options.ridge = 0.002;
  options.most = kMostCorrection;
  return ResidualGrid::fit({{"log2_bytes", knots_of(sizes, kKnotGap), 0, 0}, {"log2_ranks", ranks, 0, 0}}, samples,
                           options);
}

}  // namespace tpsim
