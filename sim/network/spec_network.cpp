#include <algorithm>

#include "sim/network/collective_model.h"

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

constexpr double kBytesPerUs = 1e-6;  // of bytes per second

CollectiveModel model_of(CollectiveOp op, std::vector<CollectiveBranch> branches) {
  CollectiveModel m;
  m.op = op;
  m.branches = std::move(branches);
  m.origin = "data sheet";
  return m;
}

CollectiveModel library_model(CollectiveOp op, const Hardware& h) {
  const bool ring = op != CollectiveOp::all_to_all && op != CollectiveOp::send;
  const double wire = h.link.per_direction.value * h.link_efficiency * kBytesPerUs;
  const double local = h.memory_bandwidth.value * h.bandwidth_efficiency / kLocalAccesses * kBytesPerUs;
  const double start = microseconds(h.link.start), step = microseconds(h.link.latency);
  CollectiveBranch flagged;
  flagged.algorithm = ring ? Algorithm::ring : Algorithm::direct;
  flagged.protocol = Protocol::ll;
  // Sends to all peers leave at once: one step however many there are.
  flagged.base = ring ? start : start + step;
  flagged.hop = ring ? step : 0;
  flagged.wire = wire * kFlaggedShare;
  flagged.local = std::min(local, flagged.wire);
  flagged.sharing = h.link.shared ? 1 : 0;
  CollectiveBranch simple = flagged;
  simple.protocol = Protocol::simple;
  simple.base *= kSimpleStart;
  simple.hop *= kSimpleStart;
  simple.wire = wire;
  simple.local = local;
  return model_of(op, {flagged, simple});
}

// All-reduce by loads from the peers: every rank reads all (one-shot), or reduces its part and reads the others'
// (two-shot).
CollectiveModel peer_model(const Hardware& h) {
  const double wire = h.link.per_direction.value * h.link_efficiency * kBytesPerUs;
  CollectiveBranch one;
  one.algorithm = Algorithm::one_shot;
  one.base = microseconds(h.link.one_shot);
  one.wire = wire * kOneShotShare;
  one.sharing = h.link.shared ? 1 : 0;
  CollectiveBranch two = one;
  two.algorithm = Algorithm::two_shot;
  two.base *= kTwoShotStart;
  two.wire = wire * kTwoShotShare;
  CollectiveModel m = model_of(CollectiveOp::all_reduce, {one, two});
  m.stack = CollectiveStack::vllm;
  const CollectiveModel library = library_model(CollectiveOp::all_reduce, h);
  m.branches.insert(m.branches.end(), library.branches.begin(), library.branches.end());
  return m;
}

NodeLink adapters_of(const Hardware& h) {
  NodeLink link;
  link.base = microseconds(h.network.start);
  link.hop = microseconds(h.network.latency);
  link.wire = h.network.per_direction.value * h.network_efficiency * kBytesPerUs;
  link.origin = "data sheet";
  return link;
}

}  // namespace

CollectiveNetwork spec_network(const Hardware& hardware) {
  CollectiveNetwork network;
  network.topo = hardware.link.shared ? "pcie" : "nvswitch";
  network.domain = std::max(hardware.devices_per_node, 1);
  for (const auto op : {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                        CollectiveOp::all_to_all, CollectiveOp::broadcast, CollectiveOp::send})
    network.models.push_back(library_model(op, hardware));
  if (hardware.link.one_shot.count() > 0) network.models.push_back(peer_model(hardware));
  network.between = adapters_of(hardware);
  return network;
}

CollectiveNetwork network_of(const Hardware& hardware, const CollectiveCalibration* calibration,
                             std::string_view topo) {
  const CollectiveNetwork* found = calibration == nullptr ? nullptr : find_network(*calibration, topo);
  if (found == nullptr) return spec_network(hardware);
  CollectiveNetwork network = *found;
  if (network.between.wire <= 0) network.between = adapters_of(hardware);
  return network;
}

}  // namespace tpsim
