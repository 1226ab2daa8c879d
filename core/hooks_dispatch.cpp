// 5.19 on: whole experts per rank, reached by an exchange of tokens or by masking and an all-reduce.
#include "core/hook_steps.h"

#include <algorithm>
#include <string>

#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {
namespace {

// Tokens go to the ranks that hold their experts and come back (5.19 on); what the training pass always does.
void record_exchange(Machine& m, const Hook& hook, const Shape& x, std::int64_t top_k, Machine::When when) {
  const int e = hook.expert_ranks, t = hook.tensor_ranks;
  const std::int64_t tokens = x[0], width = x[-1], experts = hook.model->experts;
  const std::int64_t mine = chunk_range(tokens, t, 0).size();
  const DType type = m.workload().activations;
  const std::int64_t rows = mine * top_k;
  m.group = e;
  m.communicate(CollectiveOp::all_to_all, Shape{e, std::max<std::int64_t>(1, experts / e)}, experts, DType::int64,
                when);
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, when);
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, when, true);
  m.group = 0;
  if (t > 1) m.communicate(CollectiveOp::all_gather, Shape{mine, width}, tokens * width, type, when);
}

void record_exchange_backward(Machine& m, const Hook& hook, const Shape& x, std::int64_t top_k) {
  const std::int64_t tokens = x[0], width = x[-1];
  const std::int64_t mine = chunk_range(tokens, hook.tensor_ranks, 0).size();
  const DType type = m.workload().activations;
  const std::int64_t rows = mine * top_k;
  if (hook.tensor_ranks > 1) {  // like all of the way back, the last one is written down first
    m.communicate(CollectiveOp::all_gather, Shape{mine, width}, tokens * width, type, kBackward);
    m.communicate(CollectiveOp::all_gather, Shape{mine, top_k}, tokens * top_k, type, kBackward);
  }
  m.group = hook.expert_ranks;
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, kBackward, true);
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, kBackward);
  m.group = 0;
}

// Inference exchanges tokens too: before 5.23 always, since then only where the expert group is not the tensor group.
bool exchanges_at_inference(const Machine& m, const Hook& hook) {
  return hook.kind == StrategyKind::all_to_all_experts || m.dialect().below(5, 23) ||
         hook.expert_ranks != hook.tensor_ranks || hook.exchange_all_to_all;
}

void note_sending(Machine& m, const Hook& hook, TensorState& x, TensorState& indices, TensorState& weights) {
  if (hook.expert_ranks != m.ranks())
    return note_unsupported(m, "an exchange of tokens over more ranks than one tensor group has", x);
  const TensorState all_x = x, all_indices = indices, all_weights = weights;
  RecordedOp* noted = note(m, Primitive::send_to_experts, {&all_x, &all_indices, &all_weights},
                           {&x, &indices, &weights}, {hook.model->experts});
  if (noted == nullptr) return;
  noted->data_dependent = true;
  m.data_dependent = true;
}

void note_returning(Machine& m, TensorState& out) {
  m.data_dependent = false;
  const TensorState rows = out;
  note(m, Primitive::return_to_tokens, {&rows}, {&out});
}

}  // namespace

void dispatch_before(Machine& m, const Hook& hook, ModuleCall& call) {
  std::vector<ForwardValue*> given;
  for (auto& v : call.positional) given.push_back(&v);
  for (auto& [name, v] : call.keyword) given.push_back(&v);
  if (given.size() != 3 || !given[0]->is_tensor() || !given[1]->is_tensor() || !given[2]->is_tensor()) {
    call_fault(m, call, "is made for experts called with (hidden_states, top_k_index, top_k_weights)", "TypeError");
    return;
  }
  given[1]->tensor.elements = Elements::masked_routing;
  if (notes_training(m) || exchanges_at_inference(m, hook))
    note_sending(m, hook, given[0]->tensor, given[1]->tensor, given[2]->tensor);
  else
    note_own_routes(m, given[2]->tensor, given[1]->tensor, hook.model->experts, m.ranks(), false);
  use_local_parameters(call);
}

void dispatch_after(Machine& m, const Hook& hook, ModuleCall& call) {
  TensorState* out = output_tensor(m, call, "AttributeError");
  if (out == nullptr) return;
  const ForwardValue& indices =
      call.positional.size() > 1 ? call.positional[1] : call.keyword[1 - call.positional.size()].second;
  const std::int64_t top_k = indices.tensor.local.at(0)[-1];
  const Shape x = out->local.at(0);
  const bool exchanges = exchanges_at_inference(m, hook);
  if (notes_training(m) || exchanges) note_returning(m, *out);
  if (exchanges) {
    record_exchange(m, hook, x, top_k, Machine::When::inference);
    if (out->layout.content == Content::partial) out->layout.content = Content::replicated;
  } else {
    *out = all_reduce(m, *out, Machine::When::inference);
  }
  record_exchange(m, hook, x, top_k, Machine::When::training);
  record_exchange_backward(m, hook, x, top_k);
}

}  // namespace tpsim::hook
