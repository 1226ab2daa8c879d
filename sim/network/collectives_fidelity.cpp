#include <map>

#include "sim/network/collective_holdout.h"

namespace tpsim {
namespace {

std::string key_of(const MeasuredCollective& r, const char* left_out) {
  std::string key = r.topo + " " + to_string(r.shape.op) + " " + implementation_name(r.shape.stack, r.shape.eager);
  if (r.shape.dtype == DType::int8) key += " int8";
  if (r.shape.nodes > 1) key += " " + std::to_string(r.shape.nodes) + " nodes";
  return key + ", " + left_out;
}

// As for rank counts that were not measured.
CollectiveCalibration at_other_ranks(CollectiveCalibration fitted) {
  for (CollectiveNetwork& network : fitted.networks)
    for (CollectiveModel& model : network.models) model.band = {};
  return fitted;
}

void add_lines(std::span<const HeldOutRow> rows, const char* left_out, const Hardware& hardware,
               const CollectiveCalibration& fitted, std::vector<FidelityLine>& lines) {
  const CollectiveNetwork spec = spec_network(hardware);
  std::map<std::string, FidelityRows> by_key;
  for (const HeldOutRow& h : rows) {
    const CollectiveShape& s = h.row.shape;
    const Link& link = s.nodes > 1 ? hardware.network : hardware.link;
    const double plain =
        microseconds(link.start) + s.bytes * bus_factor(s.op, s.ranks) / (link.per_direction.value * 1e-6);
    const double band = collective_time(s, network_of(hardware, &fitted, h.row.topo)).time.band;
    by_key[key_of(h.row, left_out)].add(h.row.us, h.estimate.time.us, band, plain, collective_time(s, spec).time.us);
  }
  for (const auto& [key, line] : by_key) lines.push_back(line.line("collectives", rows.front().row.gpu, key));
}

}  // namespace

std::vector<FidelityLine> fidelity_collectives(std::span<const MeasuredCollective> rows,
                                               std::span<const MeasuredCollective> sisters, const Hardware& hardware,
                                               const CollectiveCalibration& fitted) {
  std::vector<FidelityLine> lines;
  add_lines(hold_out_sizes(rows, sisters), "sizes", hardware, fitted, lines);
  add_lines(hold_out_ranks(rows, sisters), "ranks", hardware, at_other_ranks(fitted), lines);
  return lines;
}

}  // namespace tpsim
