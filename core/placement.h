// How a tensor lies on one mesh dimension: DTensor's vocabulary (torch/distributed/tensor/placement_types.py).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/shape.h"

namespace tpsim {

enum class ReduceOp { sum, avg, max, min, product };

struct Replicate {
  bool operator==(const Replicate&) const = default;
};
// torch.chunk along `dim`: last shards may be short or empty.
struct Shard {
  int dim = 0;
  bool operator==(const Shard&) const = default;
};
// `blocks` equal blocks along `dim`, each chunked over the ranks: rank r holds [A_r | B_r ...]. DTensor's
// _StridedShard.
struct StridedShard {
  int dim = 0;
  int blocks = 2;
  bool operator==(const StridedShard&) const = default;
};
// The tensor is the reduction over ranks of the local ones.
struct Partial {
  ReduceOp op = ReduceOp::sum;
  bool operator==(const Partial&) const = default;
};

using Placement = std::variant<Replicate, Shard, StridedShard, Partial>;

const char* to_string(ReduceOp op);
std::string to_string(const Placement& placement);  // "Replicate", "Shard(0)", "StridedShard(0, 2)", "Partial(sum)"

// "Shard(0)", "Shard(dim=0)", "S(0)", "S0", "R", "Replicate()", "P", "Partial(avg)", "StridedShard(0, 2)", "_S(0, 2)";
// letter case and blanks do not matter. Negative dims stay negative. Errors name the text and the forms that are known.
Result<Placement> parse_placement(std::string_view text);
// One per mesh dim, separated by commas: "Shard(0), Replicate".
Result<std::vector<Placement>> parse_placements(std::string_view text);

// The tensor dim that the placement cuts, -1 for Replicate and Partial.
int cut_dim(const Placement& placement);

}  // namespace tpsim
