#include "core/hook_steps.h"

#include <string>

#include "core/op_steps.h"
#include "core/recorder.h"
#include "core/tensor_ops.h"

namespace tpsim::hook {
namespace {

Shape believed_global(const TensorState& x, const Placement& placement, int ranks) {
  const Shard* s = std::get_if<Shard>(&placement);
  Shape global = x.local.at(0);
  if (s != nullptr) global[s->dim] *= ranks;
  return global;
}

}  // namespace

void call_fault(Machine& m, const ModuleCall& call, const std::string& what, const std::string& library) {
  m.fail("TP121", "the rule on this " + call.type->class_name + " " + what, library);
}

TensorState* first_input(Machine& m, ModuleCall& call, const char* library_if_missing) {
  if (call.positional.empty()) {
    call_fault(m, call, "needs its input by position, but the model passes everything by keyword", library_if_missing);
    return nullptr;
  }
  if (!call.positional.front().is_tensor()) {
    call_fault(m, call, "needs a tensor as its first input and gets none", "TypeError");
    return nullptr;
  }
  return &call.positional.front().tensor;
}

TensorState* output_tensor(Machine& m, ModuleCall& call, const char* library) {
  if (call.output.is_tensor()) return &call.output.tensor;
  call_fault(m, call, "needs a tensor as output, but the module returns a tuple", library);
  return nullptr;
}

void reduce_gradient(Machine& m, TensorState& x) {
  if (x.elements != Elements::floating || x.sums_gradient) return;
  m.communicate(CollectiveOp::all_reduce, x, x.local.at(0).numel(), kBackward);
  note_gradient(m, CollectiveOp::all_reduce, x);
}

void gather_gradient(Machine& m, const TensorState& piece) {
  m.communicate(CollectiveOp::all_gather, piece, piece.local.at(0).numel() * m.ranks(), kBackward);
  note_backward(m, CollectiveOp::all_gather, piece);
}

void hide_bias(ModuleCall& call) {
  const int i = call.parameter_index("bias");
  if (i >= 0) call.hidden[static_cast<std::size_t>(i)] = 1;
}

void add_hidden_bias(Machine& m, ModuleCall& call, TensorState& output) {
  const int i = call.parameter_index("bias");
  if (i < 0 || call.hidden[static_cast<std::size_t>(i)] == 0) return;
  TensorState bias = call.parameters[static_cast<std::size_t>(i)];
  bias.belief.reset();
  output = binary(m, Binary::add, output, bias);
}

void use_local_parameters(ModuleCall& call) {
  for (TensorState& p : call.parameters) p.belief.reset();
}

void declare(const Machine& m, TensorState& x, const Placement& placement) {
  if (x.belief) return;
  const Shard* s = std::get_if<Shard>(&placement);
  const Placement absolute = s == nullptr ? placement : Placement(Shard{s->dim < 0 ? s->dim + x.ideal.rank() : s->dim});
  x.belief = Belief{absolute, believed_global(x, absolute, m.ranks())};
}

void redistribute(Machine& m, TensorState& x, const Placement& target, bool plain) {
  if (!x.belief) return;
  const Belief belief = *x.belief;
  const int from = ops::believed_dim(belief);
  const Shard* to = std::get_if<Shard>(&target);
  const int to_dim = to == nullptr ? -1 : to->dim < 0 ? to->dim + belief.global.rank() : to->dim;
  if (std::holds_alternative<Partial>(belief.placement))
    x = to == nullptr ? all_reduce(m, x) : reduce_scatter(m, x, to_dim);
  else if (from >= 0 && from != to_dim) {
    x = all_gather(m, x, from, true);
    if (to != nullptr) x = local_chunk(m, x, to_dim, false);
  } else if (from < 0 && to != nullptr)
    x = local_chunk(m, x, to_dim, false);
  x.belief.reset();
  if (!plain) x.belief = Belief{to == nullptr ? Placement(Replicate{}) : Placement(Shard{to_dim}), belief.global};
}

void only_first(ModuleCall& call) {
  if (call.positional.size() > 1) call.positional.resize(1);
}

void divide_by_ranks(Machine& m, TensorState& x) {
  TensorState part = linear_map(m, x, 1.0 / m.ranks(), "div");
  if (RecordedOp* noted = note(m, Op::scale, {&x}, {&part})) noted->number = 1.0 / m.ranks();
  x = std::move(part);
}

void ep_router_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const bool three = m.dialect().at_least(5, 0);
  const std::size_t first = three ? 1 : 0;
  if (call.output.kind != ForwardValue::Kind::tuple || call.output.items.size() < first + 2) {
    call_fault(m, call, "is made for routers that return scores and indices",
               "ValueError: not enough values to unpack");
    return;
  }
  const std::int64_t experts = call.type->num_experts ? *call.type->num_experts : hook.model->experts;
  if (experts == 0) {
    m.fail("TP122", "ep_router needs num_experts, " + call.type->class_name + " has none",
           "AttributeError: no attribute 'num_experts'");
    return;
  }
  if (experts % m.ranks() != 0) {
    m.fail("TP103", std::to_string(experts) + " experts cannot be divided over " + std::to_string(m.ranks()) + " ranks",
           "ValueError: The number of experts must be divisible by number of ep_size");
    return;
  }
  const bool cuts_scores = m.dialect().generation() == Generation::dtensor_hooks && m.ranks() > 1;
  const ForwardValue& scores = call.output.items[first];
  if (cuts_scores && scores.is_tensor() && scores.tensor.local.at(0)[-1] < experts) {
    m.fail("TP121",
           "this version keeps the columns of a rank's experts of the scores, and the router returns " +
               std::to_string(scores.tensor.local.at(0)[-1]) + " columns for " + std::to_string(experts) + " experts",
           "IndexError: index is out of bounds");
    return;
  }
  call.output.items[first + 1].tensor.elements = Elements::masked_routing;
  if (scores.is_tensor())
    note_own_routes(m, call.output.items[first].tensor, call.output.items[first + 1].tensor, experts, m.ranks(),
                    cuts_scores);
  if (m.dialect().at_least(5, 17) && call.output.items[first].is_tensor())
    reduce_gradient(m, call.output.items[first].tensor);
}

void mla_after(Machine& m, const Hook& hook, TensorState& out) {
  const std::int64_t rope = hook.model->qk_rope_head_dim;
  if (rope == 0) {
    m.fail("TP122", "mla_kv_a_proj needs one qk_rope_head_dim for all layers in the configuration",
           "AttributeError: config has no qk_rope_head_dim");
    return;
  }
  if (out.local.at(0)[-1] < rope) {
    m.fail("TP121",
           "mla_kv_a_proj splits " + std::to_string(rope) + " columns off an output of " +
               std::to_string(out.local.at(0)[-1]),
           "RuntimeError: split_with_sizes expects non-negative sizes");
    return;
  }
  const Shape& own = out.local.at(0);
  const Shape columns = own.with(own.rank() - 1, rope);
  m.communicate(CollectiveOp::all_reduce, columns, columns.numel(), m.workload().activations, kBackward);
  note_gradient(m, CollectiveOp::all_reduce, out, rope);
}

}  // namespace tpsim::hook
