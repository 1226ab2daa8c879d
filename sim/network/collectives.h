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

namespace tpsim {

// Whose all-reduce runs: NCCL's, or the own kernels of a serving stack (which hand large messages to NCCL). Every
// other collective is NCCL's in all of them.
enum class CollectiveStack { nccl, vllm, sglang, trtllm };
const char* to_string(CollectiveStack stack);

// What is asked. `bytes` as nccl-tests counts them: the buffer of each rank (all_reduce, all_to_all, broadcast, send),
// the gathered tensor (all_gather), the whole input (reduce_scatter).
struct CollectiveShape {
  CollectiveOp op = CollectiveOp::all_reduce;
  double bytes = 0;
  int ranks = 1;
  int nodes = 1;  // hosts that the ranks are spread over evenly
  DType dtype = DType::bf16;
  CollectiveStack stack = CollectiveStack::nccl;
  bool eager = false;  // launched by the host one by one, not from a captured graph
  bool operator==(const CollectiveShape&) const = default;
};

// Who reads what from whom: decides steps and bytes per rank.
enum class Algorithm { ring, tree, nvls, one_shot, two_shot, direct };
const char* to_string(Algorithm algorithm);
enum class Protocol { none, ll, ll128, simple };
const char* to_string(Protocol protocol);  // "" for none

// base + steps * hop + bytes * f / wire + (bytes / n) / local + ramp * sqrt(bytes * f / 1000), in us and bytes per us.
// wire falls as (2 / n)^sharing where ranks share a path.
struct CollectiveBranch {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::none;
  double base = 0, hop = 0;
  double wire = 1;   // bytes per us
  double local = 0;  // 0 = free
  double ramp = 0;
  double sharing = 0;
  int least_ranks = 2;
  bool operator==(const CollectiveBranch&) const = default;
};

// One operation of one stack: the fastest branch, corrected where measurements lie.
struct CollectiveModel {
  CollectiveOp op = CollectiveOp::all_reduce;
  CollectiveStack stack = CollectiveStack::nccl;
  bool eager = false;
  bool integer = false;  // measured with integers, which NVLink switches cannot add up
  std::vector<CollectiveBranch> branches;
  ResidualGrid residual;  // over log2(bytes), log2(ranks)
  BandCurve band;         // over log2(bytes)
  double far_band = 0.3;  // rank counts that were not measured
  NumberSource source = NumberSource::spec;
  std::string origin;  // where the rows came from
  bool operator==(const CollectiveModel&) const = default;
};

// The wire between hosts, per rank: adapters of one host may share a path.
struct NodeLink {
  double base = 0, hop = 0;
  double wire = 1;     // bytes per us of one rank's adapter alone
  double sharing = 0;  // wire falls as ranks_per_node^-sharing
  NumberSource source = NumberSource::spec;
  std::string origin;
  bool operator==(const NodeLink&) const = default;
};

// What connects the ranks of one kind of host.
struct CollectiveNetwork {
  std::string topo;  // "nvswitch", "pcie4-nop2p", "nvl72"
  int domain = 8;    // ranks that reach each other without adapters
  std::vector<CollectiveModel> models;
  NodeLink between;
  bool operator==(const CollectiveNetwork&) const = default;
};

struct CollectiveCalibration {
  std::vector<CollectiveNetwork> networks;  // the usual one first
  bool operator==(const CollectiveCalibration&) const = default;
};
// The network with that topology; an empty name is the first one. nullptr where there is none.
const CollectiveNetwork* find_network(const CollectiveCalibration& calibration, std::string_view topo);

struct CollectiveEstimate {
  Estimate time;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::none;
  bool hierarchical = false;  // inside the hosts, then between them
};

// No time for one rank. Never falls with the bytes, and does not jump. Where the stack, type or operation was not
// measured, the nearest that was, with the source `transferred`.
CollectiveEstimate collective_time(const CollectiveShape& shape, const CollectiveNetwork& network);

// What data sheets say, as a network.
CollectiveNetwork spec_network(const Hardware& hardware);
// That of the calibration, completed from the data sheet; the data sheet alone without one.
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
