// tpsim's own strategies (dialects "...+tpsim"): what no release of Transformers has. Plain tensors in every
// generation.
#pragma once

#include <optional>
#include <string_view>

#include "core/machine.h"
#include "core/parameter_placement.h"
#include "core/strategy.h"
#include "core/strategy_hooks.h"

namespace tpsim {

bool is_extension_kind(StrategyKind kind);

// "packed_colwise_3" as data: three equal blocks of output features, each cut over the ranks. Null for other names.
const CustomStrategy* packed_strategy(std::string_view name);

// `kv_heads`: of the whole model, for kv_replicate.
PlacedParameter place_extension(Machine& m, const ParameterToPlace& parameter, StrategyKind kind,
                                std::int64_t kv_heads);

void extension_before(Machine& m, const Hook& hook, ModuleCall& call);
void extension_after(Machine& m, const Hook& hook, ModuleCall& call);
// A row-split layer or table in a plan with megatron_sequence_parallel leaves shards of the sequence: a reduce-scatter
// in place of its all-reduce.
void scatter_sequence(Machine& m, ModuleCall& call);

}  // namespace tpsim
