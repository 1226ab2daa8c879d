// 4.50 - 5.0 (and 4.47 - 4.49, whose torch classes do the same): inputs and outputs wrapped as DTensors.
#include "core/hook_steps.h"

#include <string>

#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {
namespace {

Placement assumed_input(StrategyKind kind) {
  return kind == StrategyKind::rowwise ? Placement(Shard{-1}) : Placement(Replicate{});
}

void reduce_first_output(Machine& m, ModuleCall& call) {
  ForwardValue* target = &call.output;
  if (target->kind == ForwardValue::Kind::tuple && !target->items.empty()) target = &target->items.front();
  if (!target->is_tensor()) {
    call_fault(m, call, "reduces the output, and there is none", "TypeError");
    return;
  }
  const bool first_item_only = m.dialect().below(4, 54) && target == &call.output && target->tensor.local.at(0)[0] > 1;
  if (!first_item_only) {
    target->tensor = all_reduce(m, target->tensor);
    return;
  }
  Shape item = target->tensor.local.at(0);
  Shape inner;
  for (int i = 1; i < item.rank(); ++i) inner.push_back(item[i]);
  m.communicate(CollectiveOp::all_reduce, inner, inner.numel(), m.workload().activations, Machine::When::both);
  target->tensor.layout = m.wrong("TP106", "this version's gather reduces only the first sequence of the batch");
  note_unsupported(m, "a reduction of the first sequence only", target->tensor);
}

}  // namespace

void dtensor_before(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::gather || kind == StrategyKind::local || kind == StrategyKind::ep_router) {
    if (kind != StrategyKind::gather) only_first(call);
    return;
  }
  const bool distributed = is_colwise(kind) || is_rowwise(kind) || kind == StrategyKind::replicate ||
                           kind == StrategyKind::sequence_parallel;
  if (!distributed) return;
  TensorState* x = first_input(m, call, "IndexError: tuple index out of range");
  if (x == nullptr) return;
  only_first(call);
  if (is_rowwise(kind)) hide_bias(call);
  const bool embeds = is_embedding(*call.type);
  declare(m, *x, assumed_input(kind));
  if (is_rowwise(kind)) {
    const bool cut = kind == StrategyKind::rowwise_split_input && !embeds;
    redistribute(m, *x, embeds ? Placement(Replicate{}) : Placement(Shard{-1}), false);
    if (cut && !m.failed()) gather_gradient(m, *x);
  }
  if (is_colwise(kind)) reduce_gradient(m, *x);
  if (kind == StrategyKind::sequence_parallel) {
    redistribute(m, *x, Shard{1}, false);
    if (!m.failed()) gather_gradient(m, *x);
  }
}

void dtensor_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::gather) return reduce_first_output(m, call);
  if (kind == StrategyKind::ep_router) return ep_router_after(m, hook, call);
  if (kind == StrategyKind::replicate) {
    if (call.output.is_tensor())
      call.output.tensor.belief.reset();
    else if (m.dialect().below(4, 54))
      call_fault(m, call, "needs a tensor as output, but the module returns a tuple",
                 "AttributeError: 'tuple' object has no attribute 'to_local'");
    return;
  }
  const bool distributed = is_colwise(kind) || is_rowwise(kind) || kind == StrategyKind::sequence_parallel;
  if (!distributed) return;
  TensorState* out = output_tensor(m, call, "AttributeError: 'tuple' object has no attribute 'placements'");
  if (out == nullptr) return;
  if (!out->belief) {
    m.fail("TP120", "the module returns a plain tensor where the strategy expects a DTensor",
           "AttributeError: no attribute 'placements'");
    return;
  }
  redistribute(m, *out, kind == StrategyKind::colwise ? Placement(Shard{-1}) : Placement(Replicate{}), true);
  if (is_rowwise(kind) && !m.failed()) add_hidden_bias(m, call, *out);
}

}  // namespace tpsim::hook
