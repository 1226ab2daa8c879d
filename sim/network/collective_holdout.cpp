#include "sim/network/collective_holdout.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace tpsim {
namespace {

constexpr int kSizeFolds = 5;
// Rank counts between measured ones, by physics alone: 4 ranks of H100 and of B300 without that count.
constexpr double kBetweenBand = 0.12;
// The same where a GPU with the same links was measured there: 4 ranks of B300 by GB200, and the reverse.
constexpr double kSisterBand = 0.05;
constexpr double kSisterModelBand = 0.08;  // operations that only such GPUs were measured at
constexpr double kLeastBand = 0.03;
constexpr std::size_t kLeastRows = 8;

int octave_of(const MeasuredCollective& r) { return static_cast<int>(std::log2(std::max(r.shape.bytes, 1.0)) + 0.5); }

template <class Out>
void predict_left_out(std::span<const MeasuredCollective> rows, std::span<const MeasuredCollective> sisters, Out is_out,
                      std::vector<HeldOutRow>& all) {
  std::vector<MeasuredCollective> in, out;
  for (const MeasuredCollective& r : rows) (is_out(r) ? out : in).push_back(r);
  if (in.empty() || out.empty()) return;
  const CollectiveCalibration calibration = fit_collectives(in, sisters);
  for (const MeasuredCollective& r : out) {
    const CollectiveNetwork* network = find_network(calibration, r.topo);
    if (network != nullptr && r.us > 0 && r.shape.ranks > 1) all.push_back({r, collective_time(r.shape, *network)});
  }
}

bool is_model_of(const CollectiveModel& m, const CollectiveShape& s) {
  const bool integer = s.op == CollectiveOp::all_reduce && s.dtype == DType::int8;
  return m.op == s.op && m.stack == s.stack && m.eager == s.eager && m.integer == integer && m.nodes == s.nodes;
}

struct Errors {
  std::vector<double> log2_bytes, log_ratio;
};

Errors errors_of(const CollectiveModel& m, const std::string& topo, std::span<const HeldOutRow> rows) {
  Errors errors;
  for (const HeldOutRow& h : rows) {
    if (h.row.topo != topo || !is_model_of(m, h.row.shape) || !(h.estimate.time.us > 0)) continue;
    errors.log2_bytes.push_back(std::log2(std::max(h.row.shape.bytes, 1.0)));
    errors.log_ratio.push_back(std::log(h.row.us / h.estimate.time.us));
  }
  return errors;
}

double width_of(std::vector<double> log_ratios) {
  for (double& e : log_ratios) e = std::abs(e);
  return quantile(std::move(log_ratios), 0.9);
}

// For rank counts that were not left out in the measurements.
double far_band_of(const CollectiveModel& m) {
  if (m.source == NumberSource::transferred) return kSisterModelBand;
  const bool sisters_know = m.residual.axes().size() == 2 && m.residual.axes()[1].knots.size() > m.ranks.size();
  return sisters_know ? kSisterBand : kBetweenBand;
}

// One operation of one stack on one kind of host.
using Group = std::tuple<std::string, CollectiveOp, CollectiveStack, bool, bool, int>;

Group group_of(const MeasuredCollective& r) {
  return {r.topo, r.shape.op, r.shape.stack, r.shape.eager, r.shape.dtype == DType::int8, r.shape.nodes};
}

}  // namespace

std::vector<HeldOutRow> hold_out_sizes(std::span<const MeasuredCollective> rows,
                                       std::span<const MeasuredCollective> sisters) {
  std::vector<HeldOutRow> all;
  for (int fold = 0; fold < kSizeFolds; ++fold)
    predict_left_out(
        rows, sisters, [&](const MeasuredCollective& r) { return octave_of(r) % kSizeFolds == fold; }, all);
  return all;
}

std::vector<HeldOutRow> hold_out_ranks(std::span<const MeasuredCollective> rows,
                                       std::span<const MeasuredCollective> sisters) {
  std::map<Group, std::set<int>> counts;
  std::set<int> all_counts;
  for (const MeasuredCollective& r : rows) {
    counts[group_of(r)].insert(r.shape.ranks);
    all_counts.insert(r.shape.ranks);
  }
  const auto is_enclosed = [&](const MeasuredCollective& r) {
    const std::set<int>& of_group = counts.at(group_of(r));
    return r.shape.ranks != *of_group.begin() && r.shape.ranks != *of_group.rbegin();
  };
  std::vector<HeldOutRow> all;
  for (const int ranks : all_counts)
    predict_left_out(
        rows, sisters, [&](const MeasuredCollective& r) { return r.shape.ranks == ranks && is_enclosed(r); }, all);
  return all;
}

BandCurve band_of(std::span<const double> log2_bytes, std::span<const double> log_ratios) {
  constexpr std::size_t kRowsPerKnot = 20, kMostKnots = 4;
  BandCurve band = fit_band(log2_bytes, log_ratios, 0.9, kRowsPerKnot, kMostKnots);
  for (double& width : band.widths) width = std::max(width, kLeastBand);
  return band;
}

void set_bands(std::span<const MeasuredCollective> rows, std::span<const MeasuredCollective> sisters,
               CollectiveCalibration& calibration) {
  const auto by_size = hold_out_sizes(rows, sisters), by_rank = hold_out_ranks(rows, sisters);
  for (CollectiveNetwork& network : calibration.networks)
    for (CollectiveModel& m : network.models) {
      if (m.stand_in) continue;
      const Errors near = errors_of(m, network.topo, by_size), far = errors_of(m, network.topo, by_rank);
      if (near.log_ratio.size() >= kLeastRows) m.band = band_of(near.log2_bytes, near.log_ratio);
      m.far_band = far.log_ratio.size() < kLeastRows ? far_band_of(m) : width_of(far.log_ratio);
    }
}

}  // namespace tpsim
