#include <map>

#include "sim/network/collective_holdout.h"

namespace tpsim {
namespace {

struct Columns {
  std::vector<double> measured, model, plain, spec;
};

std::string key_of(const MeasuredCollective& r, const char* left_out) {
  std::string key = r.topo + " " + to_string(r.shape.op) + " " + implementation_name(r.shape.stack, r.shape.eager);
  if (r.shape.dtype == DType::int8) key += " int8";
  if (r.shape.nodes > 1) key += " " + std::to_string(r.shape.nodes) + " nodes";
  return key + ", " + left_out;
}

void add_lines(std::span<const HeldOutRow> rows, const char* left_out, const Hardware& hardware,
               std::vector<FidelityLine>& lines) {
  const CollectiveNetwork spec = spec_network(hardware);
  std::map<std::string, Columns> by_key;
  for (const HeldOutRow& h : rows) {
    const CollectiveShape& s = h.row.shape;
    const Link& link = s.nodes > 1 ? hardware.network : hardware.link;
    Columns& c = by_key[key_of(h.row, left_out)];
    c.measured.push_back(h.row.us);
    c.model.push_back(h.estimate.time.us);
    c.plain.push_back(microseconds(link.start) +
                      s.bytes * bus_factor(s.op, s.ranks) / (link.per_direction.value * 1e-6));
    c.spec.push_back(collective_time(s, spec).time.us);
  }
  for (const auto& [key, c] : by_key)
    lines.push_back({"collectives", rows.front().row.gpu, key, summarise(c.model, c.measured),
                     summarise(c.plain, c.measured), summarise(c.spec, c.measured)});
}

}  // namespace

std::vector<FidelityLine> fidelity_collectives(std::span<const MeasuredCollective> rows,
                                               std::span<const MeasuredCollective> sisters, const Hardware& hardware) {
  std::vector<FidelityLine> lines;
  add_lines(hold_out_sizes(rows, sisters), "sizes", hardware, lines);
  add_lines(hold_out_ranks(rows, sisters), "ranks", hardware, lines);
  return lines;
}

}  // namespace tpsim
