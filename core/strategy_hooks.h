// What a strategy does around the call of a module: its inputs before, its output after, and the collectives of both
// directions.
#pragma once

#include <optional>

#include "core/call.h"
#include "core/machine.h"
#include "core/strategy.h"

namespace tpsim {

struct Hook {
  StrategyKind kind = StrategyKind::replicate;
  const CustomStrategy* custom = nullptr;
  const Model* model = nullptr;
  bool split_descendants = false;                   // some parameter of the module or below is cut
  std::vector<std::int64_t> descendant_parameters;  // elements of every parameter of the module and below
  bool expert_rules = false;                        // the rule comes from the expert plan
  int expert_ranks = 1;
  int tensor_ranks = 1;
  bool sequence_parallel = false;    // the plan has megatron_sequence_parallel
  bool exchange_all_to_all = false;  // 5.23: forced by the user
};

// The module cannot carry the strategy at all: an exception while the plan is applied (5.21 on: colwise without
// out_features ...).
std::optional<Cause> refused_by_module(const Hook& hook, const ModuleType& type, const Dialect& dialect, int ranks);
// False: this version installs nothing on such a module although its parameters are cut (4.50 - 5.0 rowwise).
bool is_installed(const Hook& hook, const ModuleType& type, const Dialect& dialect);

void before_call(Machine& m, const Hook& hook, ModuleCall& call);
void after_call(Machine& m, const Hook& hook, ModuleCall& call);

}  // namespace tpsim
