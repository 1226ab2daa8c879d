// Strategies: the built-in ones of every dialect, tpsim's extensions, and user strategies described by data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/collective.h"
#include "core/dialect.h"
#include "core/result.h"

namespace tpsim {

// Built-in behaviours. One behaviour can have several names (colwise_rep is colwise_gather_output of other dialects).
enum class StrategyKind {
  colwise,
  colwise_gather_output,
  rowwise,
  rowwise_split_input,
  packed_colwise,
  packed_rowwise,
  embedding_rowwise,
  embedding_colwise,
  sequence_parallel,
  replicate,
  local_colwise,
  local_rowwise,
  local_packed_rowwise,
  local,
  gather,
  grouped_gemm,
  ep_router,
  ep_dispatch_experts,
  moe_tp_experts,
  moe_identity_expert,
  mla_kv_a_proj,
  replicated_with_grad_allreduce,
  all_reduce,
  local_params,
  megamoe_router,
  megamoe_experts,
  // tpsim's extensions; no dialect of Transformers has them
  megatron_sequence_parallel,  // norm region: shards of the sequence in, all-gather out; its producer reduce-scatters
  vocab_parallel_padded,       // embedding and head rows padded to a multiple of the ranks
  kv_replicate,                // kv heads repeated so that every rank has one
  packed_colwise_n,            // n-block packed output features ("packed_colwise_3")
  all_to_all_experts,          // expert parallelism with token exchange, in any dialect
  custom,
};

// What a module's input or output looks like across ranks.
enum class StrategyLayout { any, replicate, shard_last, partial };

// A strategy described by data (file: {"name", "weight_dim", "bias_dim", "blocks", "input", "output",
// "forward": [{"op", "tensor"}], "backward": [...]}); works everywhere a built-in does.
struct CustomStrategy {
  std::string name;
  std::optional<int> weight_dim;  // dimension to cut, negative from the end; none = full copy
  std::optional<int> bias_dim;    // for 1-D parameters
  int blocks = 1;                 // packed blocks along the cut dimension
  bool split_input = false;       // cut a replicated input on its last dimension
  StrategyLayout input = StrategyLayout::any;
  StrategyLayout output = StrategyLayout::any;
  std::optional<CollectiveOp> forward;         // on the module's output
  std::optional<CollectiveOp> backward_input;  // on the gradient of the module's input
  bool bias_after_reduction = false;
};

using StrategySet = std::vector<CustomStrategy>;

struct StrategyInfo {
  StrategyKind kind;
  std::string_view name;
  std::string_view summary;   // one line, shown by `tpsim strategies list`
  std::string_view dialects;  // "5.1-5.23", for people
  bool extension = false;
};

// All names of all dialects in a fixed order.
const std::vector<StrategyInfo>& strategy_catalogue();
// The behaviour that `name` has in `dialect`; none where that dialect's registry lacks it. tpsim's extensions are found
// in every dialect, packed_colwise_N for N from 2 to 64.
std::optional<StrategyKind> find_strategy(std::string_view name, const Dialect& dialect);
bool is_extension(std::string_view name);
// Names of the dialect's own registry, in catalogue order.
std::vector<std::string_view> strategy_names(const Dialect& dialect);
// The name that means the same in `dialect`: colwise_rep -> colwise_gather_output; none if there is no such strategy.
std::optional<std::string_view> equivalent_name(std::string_view name, const Dialect& dialect);

// Reads custom strategies from JSON text: one object or an array of objects.
Result<StrategySet> read_strategies(std::string_view text, const std::string& file);

}  // namespace tpsim
