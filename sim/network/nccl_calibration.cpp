#include "sim/network/nccl_calibration.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace tpsim {
namespace {

using Rows = std::vector<MeasuredCollective>;

int groups_of(const CollectiveSweep& sweep, const Hardware& hardware, const CollectiveNetwork& prior) {
  if (prior.spans_hosts) return std::max((sweep.ranks + prior.domain - 1) / std::max(prior.domain, 1), 1);
  if (sweep.nodes > 0) return std::min(sweep.nodes, sweep.ranks);
  const int per_node = std::max(hardware.devices_per_node, 1);
  return (sweep.ranks + per_node - 1) / per_node;
}

Rows rows_of(std::span<const CollectiveSweep> sweeps, const Hardware& hardware, const CollectiveNetwork& prior) {
  Rows rows;
  for (const CollectiveSweep& sweep : sweeps)
    for (const SweepRow& r : sweep.rows) {
      if (r.bytes <= 0) continue;
      MeasuredCollective row;
      row.gpu = hardware.name;
      row.source = "nccl-tests " + sweep.library;
      row.topo = prior.topo;
      row.shape.op = sweep.op;
      row.shape.bytes = static_cast<double>(r.bytes);
      row.shape.ranks = sweep.ranks;
      row.shape.nodes = groups_of(sweep, hardware, prior);
      row.shape.dtype = sweep.dtype.value_or(DType::fp32);
      row.us = r.us;
      rows.push_back(std::move(row));
    }
  return rows;
}

// Rows as sweeps, for the same checks: one for each operation, stack and group of ranks with enough of them.
std::vector<CollectiveSweep> sweeps_of(std::span<const MeasuredCollective> rows) {
  std::map<std::tuple<std::string, CollectiveOp, CollectiveStack, bool, int, int>, CollectiveSweep> sweeps;
  for (const MeasuredCollective& r : rows) {
    const CollectiveShape& s = r.shape;
    CollectiveSweep& sweep = sweeps[{r.topo, s.op, s.stack, s.eager, s.ranks, s.nodes}];
    sweep.file = r.gpu + (r.topo.empty() ? "" : " " + r.topo);
    sweep.op = s.op;
    sweep.ranks = s.ranks;
    sweep.nodes = s.nodes;
    SweepRow row;
    row.bytes = static_cast<std::int64_t>(std::min(s.bytes, 1e18));
    row.us = r.us;
    sweep.rows.push_back(row);
  }
  std::vector<CollectiveSweep> all;
  for (auto& [key, sweep] : sweeps)
    if (sweep.rows.size() >= 3) all.push_back(std::move(sweep));
  return all;
}

// Each kind of host for itself, that with most rows first; its errors are the fit's.
NetworkFit fit_topologies(const Rows& rows, const CollectiveNetwork& prior) {
  std::map<std::string, Rows> by_topo;
  for (const MeasuredCollective& r : rows) by_topo[r.topo].push_back(r);
  std::vector<std::pair<std::string, Rows>> groups(by_topo.begin(), by_topo.end());
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  NetworkFit all;
  for (const auto& [topo, group] : groups) {
    NetworkFit fit = fit_few_rows(group, prior);
    if (!topo.empty()) fit.calibration.networks.front().topo = topo;
    if (all.calibration.networks.empty())
      all = std::move(fit);
    else
      all.calibration.networks.push_back(std::move(fit.calibration.networks.front()));
  }
  return all;
}

}  // namespace

Result<NetworkFit> calibrate_collectives(std::span<const CollectiveSweep> sweeps, const Hardware& hardware,
                                         const CollectiveNetwork& prior) {
  for (const CollectiveSweep& sweep : sweeps)
    if (auto ok = check_sweep(sweep, hardware); !ok) return ok.error();
  const Rows rows = rows_of(sweeps, hardware, prior);
  if (rows.empty()) return input_error("no sweep of a collective to calibrate from");
  NetworkFit fit = fit_few_rows(rows, prior);
  for (const CollectiveSweep& sweep : sweeps)
    if (sweep.nodes == 0 && sweep.ranks > hardware.devices_per_node)
      fit.notes.push_back(sweep.file + ": " + std::to_string(sweep.ranks) + " ranks taken as " +
                          std::to_string(groups_of(sweep, hardware, prior)) + " hosts: they are not listed");
  return fit;
}

Result<NetworkFit> calibrate_collectives(std::span<const MeasuredCollective> rows, const Hardware& hardware,
                                         const CollectiveNetwork& prior) {
  Rows usable;
  for (const MeasuredCollective& r : rows)
    if (r.us > 0 && r.shape.bytes > 0 && r.shape.ranks > 1) usable.push_back(r);
  if (usable.empty()) return input_error("no row of a collective with bytes, a time and more than one rank");
  for (const CollectiveSweep& sweep : sweeps_of(usable))
    if (auto ok = check_sweep(sweep, hardware); !ok) return ok.error();
  return fit_topologies(usable, prior);
}

}  // namespace tpsim
