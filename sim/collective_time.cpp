#include "sim/collective_time.h"

#include <algorithm>

namespace tpsim {
namespace {

// NCCL's LL protocol sends a 4-byte flag with every 4 bytes of data (src/device/prims_ll.h), and starts sooner than
// Simple: 8.4 against 6.6 us and 3.4 against 0.6 us per step in src/graph/tuning.cc; one factor stands for both.
constexpr double kFlaggedShare = 0.5, kSimpleStart = 2;
// Share of the wire rate that kernels reach by loading from their peers, one-shot and two-shot, and the two-shot's
// start in one-shot starts (it synchronises twice): vLLM's kernels, least squares over ai-dynamo/aiconfigurator's
// tables.
constexpr double kOneShotShare = 0.6, kTwoShotShare = 0.7, kTwoShotStart = 2;
// A rank's own part passes through memory: two reads and a write.
constexpr double kLocalAccesses = 3;

// Links of n ranks as one rank sees them.
struct Wire {
  double rate = 1, start = 0, latency = 0, one_shot = 0, local = 1;
};

Wire wire_of(const Link& link, double efficiency, int n, const Hardware& h) {
  const double sharing = link.shared ? 2.0 / n : 1;
  return {link.per_direction.value * efficiency * std::min(1.0, sharing), link.start.count(), link.latency.count(),
          link.one_shot.count(), h.memory_bandwidth.value * h.bandwidth_efficiency / kLocalAccesses};
}

double ring_steps(CollectiveOp op, int n) {
  switch (op) {
    case CollectiveOp::all_reduce: return 2.0 * (n - 1);
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter: return n - 1;
    case CollectiveOp::broadcast: return n;
    case CollectiveOp::all_to_all:
    case CollectiveOp::send: return 1;
  }
  return 0;
}

bool is_ring(CollectiveOp op) { return op != CollectiveOp::all_to_all && op != CollectiveOp::send; }

// start + steps * latency + bytes * f / rate + (bytes / n) / local
CollectiveCost library_cost(CollectiveOp op, double bytes, int n, const Wire& w) {
  const double fixed = w.start + ring_steps(op, n) * w.latency;
  const double moved = bytes * bus_factor(op, n), own = bytes / n;
  const double flagged = fixed + moved / (w.rate * kFlaggedShare) + own / std::min(w.local, w.rate * kFlaggedShare);
  const double simple = kSimpleStart * fixed + moved / w.rate + own / w.local;
  const Seconds time(std::min(flagged, simple));
  if (!is_ring(op)) return {time, "direct"};
  return {time, flagged < simple ? "ring LL" : "ring"};
}

// All-reduce by loads from the peers: every rank reads all (one-shot), or reduces its part and reads the others'
// (two-shot).
CollectiveCost peer_cost(double bytes, int n, const Wire& w) {
  const double one = w.one_shot + bytes * (n - 1) / (w.rate * kOneShotShare);
  const double two = kTwoShotStart * w.one_shot + bytes * 2 * (n - 1) / n / (w.rate * kTwoShotShare);
  return one <= two ? CollectiveCost{Seconds(one), "one-shot"} : CollectiveCost{Seconds(two), "two-shot"};
}

CollectiveCost within_node(CollectiveOp op, double bytes, int n, const Hardware& h) {
  if (n <= 1) return {};
  const Wire w = wire_of(h.link, h.link_efficiency, n, h);
  const CollectiveCost library = library_cost(op, bytes, n, w);
  if (op != CollectiveOp::all_reduce || w.one_shot <= 0) return library;
  const CollectiveCost peer = peer_cost(bytes, n, w);
  return peer.time <= library.time ? peer : library;
}

// Inside the nodes, then between them over each rank's own network adapter. All-reduce: reduce-scatter, all-reduce of
// the parts, all-gather.
CollectiveCost over_nodes(CollectiveOp op, double bytes, int nodes, int per_node, const Hardware& h) {
  const Wire net = wire_of(h.network, h.network_efficiency, nodes, h);
  const bool split = is_ring(op) && op != CollectiveOp::broadcast;
  const double part = split ? bytes / per_node : bytes;
  const Seconds outside(net.start + ring_steps(op, nodes) * net.latency + part * bus_factor(op, nodes) / net.rate);
  Seconds inside{};
  if (op == CollectiveOp::all_reduce)
    inside = within_node(CollectiveOp::reduce_scatter, bytes, per_node, h).time +
             within_node(CollectiveOp::all_gather, bytes, per_node, h).time;
  else if (op != CollectiveOp::send)
    inside = within_node(op, bytes, per_node, h).time;
  return {inside + outside, "hierarchical"};
}

}  // namespace

double bus_factor(CollectiveOp op, int group) {
  const double n = std::max(group, 1);
  switch (op) {
    case CollectiveOp::all_reduce: return 2 * (n - 1) / n;
    case CollectiveOp::all_gather:
    case CollectiveOp::reduce_scatter:
    case CollectiveOp::all_to_all: return (n - 1) / n;
    case CollectiveOp::broadcast:
    case CollectiveOp::send: return 1;
  }
  return 1;
}

CollectiveCost collective_cost(CollectiveOp op, double bytes, int group, const Hardware& hardware) {
  if (group <= 1) return {};
  const int per_node = std::max(hardware.devices_per_node, 1);
  if (group <= per_node) return within_node(op, bytes, group, hardware);
  const int nodes = (group + per_node - 1) / per_node;
  return over_nodes(op, bytes, nodes, (group + nodes - 1) / nodes, hardware);
}

}  // namespace tpsim
