#include "sim/network/collective_holdout.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace tpsim {
namespace {

constexpr int kSizeFolds = 5;
// Of rank counts that no measured ones enclose: what the counts between 2 and 8 of H100 and B300 show without them.
constexpr double kFarBand = 0.16;
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

std::vector<double> errors_of(const CollectiveModel& m, const std::string& topo, std::span<const HeldOutRow> rows) {
  std::vector<double> errors;
  for (const HeldOutRow& h : rows)
    if (h.row.topo == topo && is_model_of(m, h.row.shape) && h.estimate.time.us > 0)
      errors.push_back(std::abs(std::log(h.row.us / h.estimate.time.us)));
  return errors;
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
  std::set<int> counts;
  for (const MeasuredCollective& r : rows) counts.insert(r.shape.ranks);
  std::vector<HeldOutRow> all;
  for (const int ranks : counts) {
    if (ranks == *counts.begin() || ranks == *counts.rbegin()) continue;
    predict_left_out(
        rows, sisters, [&](const MeasuredCollective& r) { return r.shape.ranks == ranks; }, all);
  }
  return all;
}

void set_bands(std::span<const MeasuredCollective> rows, std::span<const MeasuredCollective> sisters,
               CollectiveCalibration& calibration) {
  const auto by_size = hold_out_sizes(rows, sisters), by_rank = hold_out_ranks(rows, sisters);
  for (CollectiveNetwork& network : calibration.networks)
    for (CollectiveModel& m : network.models) {
      const auto near = errors_of(m, network.topo, by_size), far = errors_of(m, network.topo, by_rank);
      m.band = near.size() < kLeastRows ? kFarBand : std::max(quantile(near, 0.9), kLeastBand);
      m.far_band = far.size() < kLeastRows ? std::max(m.band, kFarBand) : std::max(quantile(far, 0.9), m.band);
    }
}

}  // namespace tpsim
