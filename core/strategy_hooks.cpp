#include "core/strategy_hooks.h"

#include <string>

#include "core/extension_strategies.h"
#include "core/hook_steps.h"

namespace tpsim {
namespace {

Cause module_refusal(const std::string& message, const std::string& library) {
  Cause cause;
  cause.code = "TP122";
  cause.message = message;
  cause.library = library;
  return cause;
}

}  // namespace

std::optional<Cause> refused_by_module(const Hook& hook, const ModuleType& type, const Dialect& dialect, int ranks) {
  if (hook.custom != nullptr || is_extension_kind(hook.kind)) return std::nullopt;
  const bool checked_types = dialect.at_least(5, 21);
  if (checked_types && hook::is_colwise(hook.kind) && !type.out_features)
    return module_refusal("colwise is for linear layers: " + type.class_name + " has no out_features",
                          "ValueError: " + type.class_name + " has no `out_features`: colwise shards linear layers.");
  if (checked_types && hook::is_rowwise(hook.kind) && !type.in_features)
    return module_refusal("rowwise is for linear layers: " + type.class_name + " has no in_features",
                          "ValueError: " + type.class_name + " has no `in_features`: rowwise shards linear layers.");
  const bool checked_size = dialect.at_least(5, 14) && dialect.below(5, 21);
  if (checked_size && hook.kind == StrategyKind::colwise_gather_output && type.out_features &&
      *type.out_features % ranks != 0) {
    Cause cause = module_refusal("an output of " + std::to_string(*type.out_features) +
                                     " features cannot be gathered from " + std::to_string(ranks) + " equal shards",
                                 "ValueError: the output size must be divisible by the tensor parallel size");
    cause.code = "TP103";
    return cause;
  }
  return std::nullopt;
}

bool is_installed(const Hook& hook, const ModuleType& type, const Dialect& dialect) {
  if (dialect.generation() != Generation::dtensor_hooks || hook.custom != nullptr || is_extension_kind(hook.kind))
    return true;
  if (hook::is_rowwise(hook.kind)) return type.kind == ModuleKind::linear || is_embedding(type);
  return hook.kind != StrategyKind::local_colwise && hook.kind != StrategyKind::local_rowwise &&
         hook.kind != StrategyKind::local_packed_rowwise && hook.kind != StrategyKind::grouped_gemm;
}

void before_call(Machine& m, const Hook& hook, ModuleCall& call) {
  if (hook.custom != nullptr) return hook::custom_before(m, *hook.custom, call);
  if (is_extension_kind(hook.kind)) return extension_before(m, hook, call);
  switch (m.dialect().generation()) {
    case Generation::dtensor_modules:
    case Generation::dtensor_hooks: return hook::dtensor_before(m, hook, call);
    case Generation::plain_hooks: return hook::plain_before(m, hook, call);
    case Generation::dtensor_forward: return hook::forward_before(m, hook, call);
  }
}

void after_call(Machine& m, const Hook& hook, ModuleCall& call) {
  if (hook.custom != nullptr) return hook::custom_after(m, *hook.custom, call);
  if (is_extension_kind(hook.kind)) return extension_after(m, hook, call);
  const bool reduces = hook::is_rowwise(hook.kind) || hook.kind == StrategyKind::embedding_rowwise;
  if (hook.sequence_parallel && reduces && call.output.is_tensor()) return scatter_sequence(m, call);
  switch (m.dialect().generation()) {
    case Generation::dtensor_modules:
    case Generation::dtensor_hooks: return hook::dtensor_after(m, hook, call);
    case Generation::plain_hooks: return hook::plain_after(m, hook, call);
    case Generation::dtensor_forward: return hook::forward_after(m, hook, call);
  }
}

}  // namespace tpsim
