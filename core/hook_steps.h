// Steps that the strategies of all versions share; for the files of the generations only.
#pragma once

#include <string>

#include "core/call.h"
#include "core/machine.h"
#include "core/strategy.h"
#include "core/strategy_hooks.h"

namespace tpsim::hook {

inline constexpr auto kBackward = Machine::When::backward;

inline bool is_colwise(StrategyKind k) {
  return k == StrategyKind::colwise || k == StrategyKind::colwise_gather_output;
}
inline bool is_rowwise(StrategyKind k) { return k == StrategyKind::rowwise || k == StrategyKind::rowwise_split_input; }

// The hook cannot work on the way the model calls this module: the fault of every strategy that needs other arguments.
void call_fault(Machine& m, const ModuleCall& call, const std::string& what, const std::string& library);
// The first positional argument as a tensor; null and a fault where there is none.
TensorState* first_input(Machine& m, ModuleCall& call, const char* library_if_missing);
// The output as a tensor; null and a fault where the module returns a tuple.
TensorState* output_tensor(Machine& m, ModuleCall& call, const char* library);
// A pre-hook that returns one value replaces all positional arguments by it.
void only_first(ModuleCall& call);
void divide_by_ranks(Machine& m, TensorState& x);

// Backward collectives: the gradient of `x` is summed; the pieces of a cut input's gradient are gathered.
void reduce_gradient(Machine& m, TensorState& x);
void gather_gradient(Machine& m, const TensorState& piece);

// A row-split layer adds its bias once, after the reduction.
void hide_bias(ModuleCall& call);
void add_hidden_bias(Machine& m, ModuleCall& call, TensorState& output);
void use_local_parameters(ModuleCall& call);

// DTensor.from_local: the plain tensor is believed to lie as `placement` says.
void declare(const Machine& m, TensorState& x, const Placement& placement);
// DTensor.redistribute to Replicate or Shard(dim), then to_local if `plain`.
void redistribute(Machine& m, TensorState& x, const Placement& target, bool plain);

// The same in several generations.
void ep_router_after(Machine& m, const Hook& hook, ModuleCall& call);
void mla_after(Machine& m, const Hook& hook, TensorState& out);

// 4.47 - 5.0, 5.1 - 5.15, 5.16 on, and strategies described by data.
void dtensor_before(Machine& m, const Hook& hook, ModuleCall& call);
void dtensor_after(Machine& m, const Hook& hook, ModuleCall& call);
void plain_before(Machine& m, const Hook& hook, ModuleCall& call);
void plain_after(Machine& m, const Hook& hook, ModuleCall& call);
void forward_before(Machine& m, const Hook& hook, ModuleCall& call);
void forward_after(Machine& m, const Hook& hook, ModuleCall& call);
void custom_before(Machine& m, const CustomStrategy& strategy, ModuleCall& call);
void custom_after(Machine& m, const CustomStrategy& strategy, ModuleCall& call);

// Experts reached by moving tokens (5.19 on).
void dispatch_before(Machine& m, const Hook& hook, ModuleCall& call);
void dispatch_after(Machine& m, const Hook& hook, ModuleCall& call);

}  // namespace tpsim::hook
