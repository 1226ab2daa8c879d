// Collectives: which algorithm and protocol the library takes, and how long they run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/collective.h"
#include "core/dtype.h"
#include "sim/estimate.h"
#include "sim/fit/errors.h"
#include "sim/fit/residual_grid.h"
#include "sim/network/expert_exchange.h"

namespace tpsim {

// Whose all-reduce runs: NCCL's, or the own kernels of a serving stack (which hands large messages to NCCL). Every
// other collective is NCCL's in all of them.
enum class CollectiveStack { fastest, nccl, vllm, sglang, trtllm };
const char* to_string(CollectiveStack stack);
std::optional<CollectiveStack> parse_collective_stack(std::string_view name);  // "" = fastest

// What is asked. `bytes` as nccl-tests counts them: the buffer of each rank (all_reduce, all_to_all, broadcast, send),
// the gathered tensor (all_gather), the whole input (reduce_scatter).
struct CollectiveShape {
  CollectiveOp op = CollectiveOp::all_reduce;
  double bytes = 0;
  int ranks = 1;
  int nodes = 1;  // hosts that the ranks are spread over evenly
  DType dtype = DType::bf16;
  CollectiveStack stack = CollectiveStack::nccl;
  bool eager = false;  // a stack's own kernel, launched by the host one by one, its input copied before
  bool operator==(const CollectiveShape&) const = default;
};

// Who reads what from whom: decides the steps and the bytes on the wire, as multiples of the message.
//   ring       2(n-1), n-1, n steps; the bus factor          direct    n-1 steps (1 of a send); the bus factor
//   nvls       n steps; the bus factor                        one_shot  n-1 steps; n-1 times the message
//   two_shot   n-1 steps; 2(n-1)/n                            multimem  n steps; 1 + 1/n
enum class Algorithm { ring, nvls, direct, one_shot, two_shot, multimem };
const char* to_string(Algorithm algorithm);
enum class Protocol { none, ll, ll128, simple };
const char* to_string(Protocol protocol);  // "" for none

// base + hop * steps + bytes * f / wire + (bytes / n) / local + ramp * sqrt(bytes * f / 1000), in us and bytes per us.
struct CollectiveBranch {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::none;
  double base = 0, hop = 0;
  double wire = 0, local = 0;  // 0 = takes no time
  double ramp = 0;
  double sharing = 0;  // the wire falls as (2 / n)^sharing, up to 8 ranks
  int least_ranks = 2, most_ranks = 1 << 20;
  bool operator==(const CollectiveBranch&) const = default;
};

// One operation of one stack: the fastest branch, corrected where measurements lie.
struct CollectiveModel {
  CollectiveOp op = CollectiveOp::all_reduce;
  CollectiveStack stack = CollectiveStack::nccl;
  bool eager = false;
  bool integer = false;  // measured with integers, which NVLink switches do not add up
  int nodes = 1;         // hosts in the measurements
  std::vector<CollectiveBranch> branches;
  double floor = 0;        // us that the host takes to launch it
  double copy = 0;         // bytes per us of a copy before it, 0 = none
  ResidualGrid residual;   // over log2(bytes), log2(ranks)
  std::vector<int> ranks;  // that were measured on this device
  BandCurve band;          // of those rank counts, over log2(bytes)
  double far_band = 0.35;  // of others, and without a curve
  NumberSource source = NumberSource::spec;
  int rows = 0;           // that it was fitted on
  std::string origin;     // where they came from
  bool stand_in = false;  // derived from a related operation's model
  // Derived: at the byte knots of `residual` for 2, 3, ... ranks. `log_us` never falls with the bytes.
  struct Knot {
    double log_us = 0, log_physics = 0;
    bool operator==(const Knot&) const = default;
  };
  std::vector<Knot> knots;
  bool operator==(const CollectiveModel&) const = default;
};

// The wire between hosts, as one rank's adapter sees it.
struct NodeLink {
  double base = 0, hop = 0;
  double wire = 0;     // bytes per us; 0 = not known
  double ramp = 0;     // as in a branch
  double sharing = 0;  // adapters of one host share a path: wire falls as (ranks per host)^-sharing
  // Of the wire, by the LL protocol, which few bytes in flight keep slow: 2 to 6 % in published sweeps of 2 hosts of
  // A100 and of GH200.
  double flagged_share = 0.03;
  NumberSource source = NumberSource::spec;
  double band = 0.35;
  std::string origin;
  bool operator==(const NodeLink&) const = default;
};

// What connects the ranks of one kind of host.
struct CollectiveNetwork {
  std::string topo;          // "nvswitch", "pcie4-nop2p", "nvl72"
  int domain = 8;            // ranks that reach each other without adapters
  bool spans_hosts = false;  // such a domain holds several hosts (NVL72)
  std::vector<CollectiveModel> models;
  NodeLink between;
  bool operator==(const CollectiveNetwork&) const = default;
};

struct CollectiveCalibration {
  std::vector<CollectiveNetwork> networks;  // the usual one first
  ExchangeCalibration exchange;             // of tokens between experts' ranks
  bool operator==(const CollectiveCalibration&) const = default;
};
// The network of that topology; an empty name is the first one. nullptr where there is none.
const CollectiveNetwork* find_network(const CollectiveCalibration& calibration, std::string_view topo);

struct CollectiveEstimate {
  Estimate time;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::none;
  bool hierarchical = false;  // inside the hosts, then between them
};
// "ring LL", "one-shot", "hierarchical".
const char* algorithm_name(const CollectiveEstimate& estimate);

// No time for one rank. Never falls with the bytes, and does not jump. Where the stack or operation was not measured,
// the nearest that was stands in, with the source `transferred`.
CollectiveEstimate collective_time(const CollectiveShape& shape, const CollectiveNetwork& network);

// What data sheets say, as a network.
CollectiveNetwork spec_network(const Hardware& hardware);
// The calibrated network of that topology, its adapters from the data sheet where they were not measured; what the data
// sheet says where there is no calibration.
CollectiveNetwork network_of(const Hardware& hardware, const CollectiveCalibration* calibration,
                             std::string_view topo = {});

// Bus over algorithm bandwidth as nccl-tests defines it: 2(n-1)/n for all_reduce, (n-1)/n for all_gather,
// reduce_scatter and all_to_all, 1 otherwise.
double bus_factor(CollectiveOp op, int ranks);

// The formula with its values put in, one line a term, for --explain.
std::vector<std::string> explain_collective(const CollectiveShape& shape, const CollectiveNetwork& network);

Value to_value(const CollectiveCalibration& calibration);
Result<CollectiveCalibration> read_collective_calibration(const Value& value);

}  // namespace tpsim
