#include "sim/network/collectives.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/network/collective_model.h"

namespace tpsim {
namespace {

constexpr double kTransferredBand = 1.3;  // bands of stand-ins, as a multiple of their own
constexpr double kBeyondBand = 2;         // the same of rank counts outside those that measurements enclose

bool is_integer(DType dtype) {
  switch (dtype) {
    case DType::fp32:
    case DType::fp16:
    case DType::bf16: return false;
    case DType::fp8:
    case DType::int8:
    case DType::int4:
    case DType::mxfp4:
    case DType::int64: return true;
  }
  return false;
}

// How far a model is from what is asked; negative = of no use.
int distance(const CollectiveModel& m, const CollectiveShape& shape, int nodes) {
  if (m.op != shape.op || m.nodes != nodes) return -1;
  if (shape.op != CollectiveOp::all_reduce) return 0;
  int away = m.integer == is_integer(shape.dtype) ? 0 : 1;
  if (m.stack == shape.stack) return away + (m.eager == shape.eager || m.stack == CollectiveStack::nccl ? 0 : 2);
  if (shape.stack == CollectiveStack::nccl || m.eager) return -1;
  return away + (m.stack == CollectiveStack::nccl ? 8 : 4);
}

struct Choice {
  const CollectiveModel* model = nullptr;
  bool stand_in = false;
};

Choice choose(const CollectiveShape& shape, int nodes, const CollectiveNetwork& network) {
  Choice best;
  int least = 0;
  for (const CollectiveModel& m : network.models) {
    const int away = distance(m, shape, nodes);
    if (away < 0 || (best.model != nullptr && away >= least)) continue;
    best.model = &m;
    least = away;
  }
  best.stand_in = least > 0;
  return best;
}

bool is_measured(const CollectiveModel& m, double bytes, int ranks) {
  if (std::find(m.ranks.begin(), m.ranks.end(), ranks) == m.ranks.end() || m.residual.empty()) return false;
  const auto& knots = m.residual.axes().front().knots;
  const double at = std::log2(std::max(bytes, 1.0));
  return at >= knots.front() - 0.01 && at <= knots.back() + 0.01;
}

bool is_beyond(const CollectiveModel& m, int ranks) {
  if (m.residual.axes().size() != 2) return false;
  const auto& knots = m.residual.axes()[1].knots;
  const double at = std::log2(ranks);
  return at < knots.front() - 0.01 || at > knots.back() + 0.01;
}

double start_us(const CollectiveModel& m, const CollectiveBranch& branch, int ranks) {
  return std::max(m.floor, branch_us(branch, m.op, 0, ranks));
}

CollectiveEstimate estimate_by(const Choice& choice, double bytes, int ranks) {
  const CollectiveModel& m = *choice.model;
  const ModelTime physics = physics_time(m, bytes, ranks);
  CollectiveEstimate e;
  e.algorithm = physics.branch->algorithm;
  e.protocol = physics.branch->protocol;
  e.time.us = corrected_us(m, bytes, ranks, physics.us);
  e.time.bound = physics.us > 2 * start_us(m, *physics.branch, ranks) ? Bound::network : Bound::latency;
  const bool known_ranks = std::find(m.ranks.begin(), m.ranks.end(), ranks) != m.ranks.end() && !m.band.knots.empty();
  e.time.source = m.source;
  if (m.source == NumberSource::calibrated && is_measured(m, bytes, ranks)) e.time.source = NumberSource::measured;
  e.time.band = known_ranks ? m.band.at(std::log2(std::max(bytes, 1.0))) : m.far_band;
  if (is_beyond(m, ranks)) e.time.band *= kBeyondBand;
  if (choice.stand_in) {
    e.time.source = std::max(e.time.source, NumberSource::transferred);
    e.time.band *= kTransferredBand;
  }
  return e;
}

// The fastest of the stacks' all-reduces.
Choice fastest(const CollectiveShape& shape, int nodes, const CollectiveNetwork& network) {
  Choice best;
  double least = 0;
  const bool integer = is_integer(shape.dtype);
  for (const CollectiveModel& m : network.models) {
    if (m.op != shape.op || m.nodes != nodes || m.eager || m.integer != integer) continue;
    const double us = corrected_us(m, shape.bytes, shape.ranks);
    if (best.model != nullptr && us >= least) continue;
    best.model = &m;
    least = us;
  }
  return best;
}

CollectiveEstimate within(const CollectiveShape& shape, int nodes, const CollectiveNetwork& network) {
  if (shape.ranks <= 1) return {};
  Choice choice;
  if (shape.op == CollectiveOp::all_reduce && shape.stack == CollectiveStack::fastest)
    choice = fastest(shape, nodes, network);
  if (choice.model == nullptr) choice = choose(shape, nodes, network);
  return choice.model == nullptr ? CollectiveEstimate{} : estimate_by(choice, shape.bytes, shape.ranks);
}

int log2_ceil(int n) {
  int steps = 0;
  while ((1 << steps) < n && steps < 30) ++steps;
  return steps;
}

double steps_between(CollectiveOp op, int nodes) {
  switch (op) {
    case CollectiveOp::all_reduce: return 2.0 * log2_ceil(nodes);
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return nodes - 1;
    case CollectiveOp::broadcast: return log2_ceil(nodes);
    case CollectiveOp::send: return 1;
  }
  return 0;
}

// Bytes through one rank's adapter. Rings cross from host to host over all adapters in parallel.
double bytes_between(CollectiveOp op, double bytes, int ranks, int per_node) {
  switch (op) {
    case CollectiveOp::all_reduce:
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::broadcast: return bytes * bus_factor(op, ranks) / per_node;
    case CollectiveOp::all_to_all: return bytes * (ranks - per_node) / ranks;
    case CollectiveOp::send: return bytes;
  }
  return bytes;
}

// NCCL's LL protocol between hosts: steps of 5 us where Simple's take 14 (NVIDIA/nccl src/graph/tuning.cc).
constexpr double kFlaggedHop = 5.0 / 14;

// us of no bytes inside a host by the Simple protocol, or by whatever there is.
double simple_start_us(const CollectiveModel& m, int ranks) {
  for (const CollectiveBranch& b : m.branches)
    if (b.protocol == Protocol::simple && b.algorithm != Algorithm::nvls) return branch_us(b, m.op, 0, ranks);
  return physics_time(m, 0, ranks).us;
}

// Start and steps, then the bytes, which flow through hosts and adapters at once.
struct Passage {
  double start = 0, flowing = 0;
  double us() const { return start + flowing; }
};

// Inside a host: the time of no bytes with either protocol, and of all bytes.
struct Inside {
  double flagged_start = 0, simple_start = 0, us = 0;
};

Passage passage(const NodeLink& link, double steps, double moved, int per_node, const Inside& inside) {
  const double rate = link.wire * std::pow(static_cast<double>(per_node), -link.sharing);
  const double wire = rate > 0 ? moved / rate : 0;
  const Passage flagged{inside.flagged_start + link.base + kFlaggedHop * link.hop * steps,
                        std::max(inside.us - inside.flagged_start, wire / link.flagged_share)};
  const Passage simple{inside.simple_start + link.base + link.hop * steps,
                       std::max(inside.us - inside.simple_start, wire + link.ramp * std::sqrt(moved / 1000))};
  return flagged.us() < simple.us() ? flagged : simple;
}

// The steps inside a host and those between hosts follow each other. Only NCCL goes over hosts.
CollectiveEstimate over_nodes(const CollectiveShape& shape, int nodes, const CollectiveNetwork& network) {
  const int per_node = shape.op == CollectiveOp::send ? 1 : (shape.ranks + nodes - 1) / nodes;
  CollectiveShape part = shape;
  part.ranks = per_node;
  part.nodes = 1;
  part.stack = CollectiveStack::nccl;
  CollectiveEstimate e;
  Inside inside;
  if (const Choice choice = choose(part, 1, network); per_node > 1 && choice.model != nullptr) {
    e = estimate_by(choice, shape.bytes, per_node);
    inside = {corrected_us(*choice.model, 0, per_node), simple_start_us(*choice.model, per_node), e.time.us};
  }
  const NodeLink& link = network.between;
  const Passage p = passage(link, steps_between(shape.op, nodes),
                            bytes_between(shape.op, shape.bytes, shape.ranks, per_node), per_node, inside);
  e.time.source = per_node > 1 ? std::max(e.time.source, link.source) : link.source;
  e.time.band = std::max(per_node > 1 ? e.time.band : 0, link.band);
  e.time.us = p.us();
  e.time.bound = p.flowing > p.start ? Bound::network : Bound::latency;
  e.hierarchical = true;
  return e;
}

// Measured over that many hosts. Outside the measured sizes the times go on as those by hosts and adapters do.
CollectiveEstimate measured_over_nodes(const CollectiveShape& shape, const CollectiveModel& m, int nodes,
                                       const CollectiveNetwork& network) {
  if (m.residual.empty() || network.between.wire <= 0) return within(shape, nodes, network);
  const auto& sizes = m.residual.axes().front().knots;
  CollectiveShape nearest = shape;
  nearest.bytes = std::clamp(shape.bytes, std::exp2(sizes.front()), std::exp2(sizes.back()));
  CollectiveEstimate e = within(nearest, nodes, network);
  if (nearest.bytes == shape.bytes) return e;
  const double there = over_nodes(nearest, nodes, network).time.us, here = over_nodes(shape, nodes, network).time.us;
  e.time.us = here < there ? e.time.us * here / there : e.time.us + here - there;
  e.time.source = std::max(e.time.source, NumberSource::calibrated);
  e.time.band = std::max(e.time.band, network.between.band);
  return e;
}

// Groups of ranks that only adapters connect.
int groups_of(const CollectiveShape& shape, const CollectiveNetwork& network) {
  const int domain = std::max(network.domain, 1);
  const int needed = (shape.ranks + domain - 1) / domain;
  return network.spans_hosts ? needed : std::clamp(shape.nodes, needed, shape.ranks);
}

}  // namespace

const CollectiveNetwork* find_network(const CollectiveCalibration& calibration, std::string_view topo) {
  for (const CollectiveNetwork& network : calibration.networks)
    if (topo.empty() || network.topo == topo) return &network;
  return nullptr;
}

CollectiveEstimate collective_time(const CollectiveShape& shape, const CollectiveNetwork& network) {
  if (shape.ranks <= 1) return {};
  CollectiveShape asked = shape;
  asked.bytes = std::max(shape.bytes, 0.0);
  const int groups = groups_of(asked, network);
  if (asked.op == CollectiveOp::send) asked.ranks = 2;  // a pair, on two hosts where the group is
  if (groups == 1) return within(asked, groups, network);
  const CollectiveModel* measured = choose(asked, groups, network).model;
  return measured == nullptr ? over_nodes(asked, groups, network)
                             : measured_over_nodes(asked, *measured, groups, network);
}

}  // namespace tpsim
