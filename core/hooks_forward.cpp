// 5.16 on: DTensor parameters, module.forward replaced; linear layers run on local tensors.
#include "core/hook_steps.h"

#include <string>

#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {
namespace {

bool is_linear(const ModuleCall& call) { return call.type->kind == ModuleKind::linear; }

void forward_before_colwise(Machine& m, ModuleCall& call, TensorState& x) {
  reduce_gradient(m, x);
  redistribute(m, x, Replicate{}, is_linear(call));
  if (is_linear(call)) return use_local_parameters(call);
  declare(m, x, Replicate{});
}

void forward_before_rowwise(Machine& m, const Hook& hook, ModuleCall& call, TensorState& x) {
  const bool embeds = is_embedding(*call.type);
  const Placement desired = embeds ? Placement(Replicate{}) : Placement(Shard{-1});
  const Placement given = hook.kind == StrategyKind::rowwise ? Placement(Shard{-1}) : Placement(Replicate{});
  if (is_linear(call)) {
    const bool cut = hook.kind == StrategyKind::rowwise_split_input;
    if (cut) declare(m, x, Replicate{});
    redistribute(m, x, Shard{-1}, true);
    if (cut && !m.failed()) gather_gradient(m, x);
    hide_bias(call);
    use_local_parameters(call);
    return;
  }
  declare(m, x, given);
  redistribute(m, x, desired, false);
}

void forward_before_experts(Machine& m, const Hook& hook, ModuleCall& call, TensorState& x) {
  x.belief.reset();
  reduce_gradient(m, x);
  if (call.positional.size() >= 3 && call.positional[2].is_tensor()) {
    call.positional[2].tensor.belief.reset();
    if (!hook.expert_rules) reduce_gradient(m, call.positional[2].tensor);
  }
  use_local_parameters(call);
}

bool is_embedding_style(StrategyKind k) {
  return k == StrategyKind::embedding_rowwise || k == StrategyKind::embedding_colwise;
}

void forward_after_colwise(Machine& m, const Hook& hook, ModuleCall& call, TensorState& out) {
  if (is_linear(call)) {
    if (hook.kind == StrategyKind::colwise_gather_output) out = all_gather(m, out, -1, true);
    return;
  }
  if (!out.belief) declare(m, out, Shard{-1});
  redistribute(m, out, hook.kind == StrategyKind::colwise ? Placement(Shard{-1}) : Placement(Replicate{}), true);
}

}  // namespace

void forward_before(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::ep_dispatch_experts || kind == StrategyKind::all_to_all_experts)
    return dispatch_before(m, hook, call);
  if (kind == StrategyKind::local_params) return use_local_parameters(call);
  if (kind == StrategyKind::replicated_with_grad_allreduce) {
    for (TensorState& p : call.parameters) {
      const std::int64_t n = p.local.at(0).numel();
      m.communicate(CollectiveOp::all_reduce, p.local.at(0), n, m.workload().activations, kBackward);
      note_gradient(m, CollectiveOp::all_reduce, p);
    }
    return;
  }
  const bool acts = is_colwise(kind) || is_rowwise(kind) || is_embedding_style(kind) ||
                    kind == StrategyKind::packed_colwise || kind == StrategyKind::moe_tp_experts ||
                    kind == StrategyKind::moe_identity_expert || kind == StrategyKind::sequence_parallel;
  if (!acts) return;
  TensorState* x = first_input(m, call, "IndexError: tuple index out of range");
  if (x == nullptr) return;
  const bool rows = is_rowwise(kind) || (kind == StrategyKind::embedding_rowwise && m.dialect().below(5, 21));
  if (is_colwise(kind)) return forward_before_colwise(m, call, *x);
  if (rows) return forward_before_rowwise(m, hook, call, *x);
  if (is_embedding_style(kind)) {
    if (!is_embedding(*call.type)) reduce_gradient(m, *x);
    redistribute(m, *x, Replicate{}, false);
    return declare(m, *x, Replicate{});
  }
  if (kind == StrategyKind::packed_colwise) {
    reduce_gradient(m, *x);
    redistribute(m, *x, Replicate{}, true);
    return use_local_parameters(call);
  }
  if (kind == StrategyKind::moe_tp_experts) return forward_before_experts(m, hook, call, *x);
  if (kind == StrategyKind::moe_identity_expert) {
    return divide_by_ranks(m, *x);
  }
  for (TensorState& p : call.parameters) p.belief = Belief{Replicate{}, p.local.at(0)};
  if (x->ideal.rank() < 2) {
    m.fail("TP121", "sequence_parallel needs an input with a sequence dimension", "IndexError");
    return;
  }
  redistribute(m, *x, Shard{1}, false);
  declare(m, *x, Shard{1});
}

void forward_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::ep_dispatch_experts || kind == StrategyKind::all_to_all_experts)
    return dispatch_after(m, hook, call);
  if (kind == StrategyKind::ep_router) return ep_router_after(m, hook, call);
  if (kind == StrategyKind::sequence_parallel) {
    if (call.output.is_tensor()) call.output.tensor.belief.reset();
    return;
  }
  if ((kind == StrategyKind::all_reduce || kind == StrategyKind::moe_tp_experts) &&
      call.output.kind == ForwardValue::Kind::none)
    return;
  const bool acts = is_colwise(kind) || is_rowwise(kind) || is_embedding_style(kind) ||
                    kind == StrategyKind::all_reduce || kind == StrategyKind::moe_tp_experts ||
                    kind == StrategyKind::mla_kv_a_proj;
  if (!acts) return;
  if (kind == StrategyKind::moe_tp_experts && m.dialect().below(5, 23) && !hook.split_descendants) return;
  TensorState* out =
      output_tensor(m, call, "TypeError: Expected parameter `tensor` of type torch.Tensor but got tuple");
  if (out == nullptr) return;
  if (is_colwise(kind)) return forward_after_colwise(m, hook, call, *out);
  if (kind == StrategyKind::mla_kv_a_proj) return mla_after(m, hook, *out);
  if (is_embedding_style(kind) && m.dialect().at_least(5, 21)) {
    if (!out->belief && kind == StrategyKind::embedding_colwise && !is_embedding(*call.type)) {
      m.fail("TP122", "embedding_colwise needs embedding_dim, " + call.type->class_name + " has none",
             "AttributeError: no attribute 'embedding_dim'");
      return;
    }
    if (!out->belief)
      declare(m, *out, kind == StrategyKind::embedding_rowwise ? Placement(Partial{}) : Placement(Shard{-1}));
    return redistribute(m, *out, Replicate{}, true);
  }
  if (out->belief)
    redistribute(m, *out, Replicate{}, true);
  else
    *out = all_reduce(m, *out);
  if ((is_rowwise(kind) || kind == StrategyKind::embedding_rowwise) && !m.failed()) add_hidden_bias(m, call, *out);
}

}  // namespace tpsim::hook
