// 5.1 - 5.15: plain tensors, autograd functions in hooks.
#include "core/hook_steps.h"

#include <string>

#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {
namespace {

void plain_before_embedding_rows(Machine& m, ModuleCall& call) {
  if (call.parameter("weight") == nullptr) {
    m.fail("TP122", "embedding_rowwise needs a weight, " + call.type->class_name + " has none",
           "AttributeError: no attribute 'weight'");
    return;
  }
  TensorState* x = first_input(m, call, "TypeError: '<' not supported between tuple and int");
  if (x == nullptr) return;
  if (x->elements != Elements::floating) x->elements = Elements::masked_routing;
}

void plain_before_experts(Machine& m, ModuleCall& call) {
  if (call.positional.size() < 3) {
    call_fault(m, call, "is made for experts called with (hidden_states, top_k_index, top_k_weights)",
               "IndexError: tuple index out of range");
    return;
  }
  call.positional.resize(3);
  if (!call.positional[0].is_tensor() || !call.positional[2].is_tensor()) return;
  reduce_gradient(m, call.positional[0].tensor);
  reduce_gradient(m, call.positional[2].tensor);
}

// Whether a mask of one more dimension than the input broadcasts over the output.
bool mask_fits(const Shape& input, const Shape& output) {
  for (int i = 1; i < output.rank() && i <= input.rank(); ++i) {
    const std::int64_t of_mask = input[-i], of_output = output[-i - 1];
    if (of_mask != of_output && of_mask != 1 && of_output != 1) return false;
  }
  return true;
}

// The mask over the rows that a rank does not hold, laid over the output by broadcasting.
void plain_after_embedding_rows(Machine& m, ModuleCall& call, const TensorState& ids, TensorState& out) {
  if (ids.elements == Elements::floating) {
    if (!mask_fits(ids.local.at(0), out.local.at(0))) {
      m.fail("TP123",
             "embedding_rowwise masks token ids, and " + to_string(ids.local.at(0)) +
                 " features do not fit its output of " + to_string(out.local.at(0)),
             "RuntimeError: the sizes of the mask and the output do not match");
      return;
    }
    TensorState mask = unsqueeze(m, ids, -1);
    mask.layout = m.wrong("TP123", "features are compared with the rank's range of rows, as if they were token ids");
    out = binary(m, Binary::mul, out, mask);
    note_unsupported(m, "a mask of token ids over features", out);
    return;
  }
  const TensorState* table = &call.parameters[static_cast<std::size_t>(call.parameter_index("weight"))];
  if (!table->local.uniform() && out.layout.content == Content::partial)
    out.layout = m.wrong("TP103", "a vocabulary of " + std::to_string(table->ideal[0]) + " does not divide over " +
                                      std::to_string(m.ranks()) +
                                      " ranks: this version computes the range of a short rank from its own row count");
  if (table->layout.content == Content::replicated && out.layout.content != Content::wrong)
    out.layout = m.wrong("TP107", "the whole table is looked up with a mask made for a shard of it");
}

}  // namespace

void plain_before(Machine& m, const Hook& hook, ModuleCall& call) {
  switch (hook.kind) {
    case StrategyKind::colwise:
    case StrategyKind::colwise_gather_output:
    case StrategyKind::packed_colwise:
      only_first(call);
      if (!call.positional.empty() && call.positional.front().is_tensor())
        reduce_gradient(m, call.positional.front().tensor);
      return;
    case StrategyKind::rowwise:
    case StrategyKind::packed_rowwise:
      only_first(call);
      hide_bias(call);
      return;
    case StrategyKind::rowwise_split_input: {
      only_first(call);
      hide_bias(call);
      TensorState* x = first_input(m, call, "TypeError: chunk(): argument 'input' must be Tensor, not tuple");
      if (x == nullptr) return;
      *x = local_chunk(m, *x, -1, true);
      if (!m.failed()) gather_gradient(m, *x);
      return;
    }
    case StrategyKind::embedding_rowwise:
      only_first(call);
      plain_before_embedding_rows(m, call);
      return;
    case StrategyKind::embedding_colwise: only_first(call); return;
    case StrategyKind::sequence_parallel: {
      only_first(call);
      TensorState* x = first_input(m, call, "AttributeError: 'tuple' object has no attribute 'dim'");
      if (x != nullptr) *x = all_gather(m, *x, -1, false);
      return;
    }
    case StrategyKind::moe_tp_experts: plain_before_experts(m, call); return;
    case StrategyKind::moe_identity_expert: {
      only_first(call);
      TensorState* x = first_input(m, call, "TypeError: unsupported operand for /: tuple and int");
      if (x != nullptr) divide_by_ranks(m, *x);
      return;
    }
    case StrategyKind::replicated_with_grad_allreduce:
      for (std::int64_t n : hook.descendant_parameters)
        m.communicate(CollectiveOp::all_reduce, Shape{n}, n, m.workload().activations, kBackward);
      for (TensorState& p : call.parameters) note_gradient(m, CollectiveOp::all_reduce, p);
      return;
    default: return;
  }
}

void plain_after(Machine& m, const Hook& hook, ModuleCall& call) {
  switch (hook.kind) {
    case StrategyKind::colwise_gather_output: {
      TensorState* out = output_tensor(m, call, "AttributeError: 'tuple' object has no attribute 'dim'");
      if (out != nullptr) *out = all_gather(m, *out, -1, false);
      return;
    }
    case StrategyKind::rowwise:
    case StrategyKind::packed_rowwise:
    case StrategyKind::rowwise_split_input:
    case StrategyKind::all_reduce:
    case StrategyKind::moe_tp_experts:
    case StrategyKind::embedding_rowwise:
    case StrategyKind::embedding_colwise: {
      TensorState* out =
          output_tensor(m, call, "TypeError: Expected parameter `tensor` of type torch.Tensor but got tuple");
      if (out == nullptr) return;
      if (hook.kind == StrategyKind::embedding_rowwise)
        plain_after_embedding_rows(m, call, call.positional.front().tensor, *out);
      if (m.failed()) return;
      *out = all_reduce(m, *out);
      if (!m.failed()) add_hidden_bias(m, call, *out);
      return;
    }
    case StrategyKind::sequence_parallel: {
      TensorState* out = output_tensor(m, call, "AttributeError: 'tuple' object has no attribute 'dim'");
      if (out != nullptr) *out = reduce_scatter(m, *out, -1);
      return;
    }
    case StrategyKind::ep_router: ep_router_after(m, hook, call); return;
    case StrategyKind::mla_kv_a_proj: {
      TensorState* out = output_tensor(m, call, "AttributeError: 'tuple' object has no attribute 'split'");
      if (out != nullptr) mla_after(m, hook, *out);
      return;
    }
    default: return;
  }
}

}  // namespace tpsim::hook
