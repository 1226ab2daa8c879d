// The constants of a collective's branches from rows.
#pragma once

#include <span>
#include <vector>

#include "sim/network/collectives_fit.h"

namespace tpsim {

// What the links can do, as far as it decides which branches there are.
struct LinkKind {
  bool shared = false;      // no switch: ranks share paths
  bool adds = false;        // the switches add up (NVLS)
  double adding_share = 0;  // sharing of the NVLS branch: how much faster it is over more ranks, negative
};
LinkKind link_kind(std::string_view gpu, std::string_view topo);

// Rows of one operation, stack and type.
struct RowsOfModel {
  CollectiveModel key;  // op, stack, eager, integer, nodes
  std::vector<MeasuredCollective> rows;
  double wire_hint = 0;  // bytes per us that large messages are known to reach; 0 = only the rows tell
};

// `library`: NCCL's all-reduce on the same links, which stacks hand large messages to; nullptr where unknown.
// `graph`: the same stack's all-reduce in a graph, which an eager one runs.
CollectiveModel fit_branches(const RowsOfModel& rows, const LinkKind& link, const CollectiveModel* library,
                             const CollectiveModel* graph);

// How far the rows may move each constant from its start: standard deviations of its logarithm; 0 = not at all.
struct BranchFreedom {
  double base = 0, hop = 0, wire = 0, local = 0, ramp = 0, sharing = 0;
};
struct FreeBranch {
  CollectiveBranch start;
  BranchFreedom freedom;
};
// The fastest of `free` and `fixed` over the rows.
std::vector<CollectiveBranch> fit_free_branches(CollectiveOp op, std::span<const FreeBranch> free,
                                                std::span<const CollectiveBranch> fixed,
                                                std::span<const MeasuredCollective> rows);

}  // namespace tpsim
