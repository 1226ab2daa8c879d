#include "core/strategy_hooks.h"

#include <algorithm>
#include <string>

#include "core/tensor_ops.h"

namespace tpsim {

bool ForwardValue::same_state(const ForwardValue& o) const {
  if (kind != o.kind) return false;
  if (kind == Kind::tensor) return tensor.same_state(o.tensor);
  return std::equal(items.begin(), items.end(), o.items.begin(), o.items.end(),
                    [](const ForwardValue& a, const ForwardValue& b) { return a.same_state(b); });
}

int ModuleCall::parameter_index(std::string_view name) const {
  for (std::size_t i = 0; i < type->parameters.size(); ++i)
    if (type->parameters[i].name == name) return static_cast<int>(i);
  return -1;
}

const TensorState* ModuleCall::parameter(std::string_view name) const {
  const int i = parameter_index(name);
  return i < 0 || hidden[static_cast<std::size_t>(i)] != 0 ? nullptr : &parameters[static_cast<std::size_t>(i)];
}

namespace {

constexpr auto kBackward = Machine::When::backward;

void call_fault(Machine& m, const ModuleCall& call, const std::string& what, const std::string& library) {
  m.fail("TP121", "the rule on this " + call.type->class_name + " " + what, library);
}

// The first positional argument as a tensor; a fault where there is none.
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

void reduce_gradient(Machine& m, const TensorState& x) {
  if (x.elements == Elements::floating) m.communicate(CollectiveOp::all_reduce, x, x.local.at(0).numel(), kBackward);
}

void gather_gradient(Machine& m, const TensorState& piece) {
  m.communicate(CollectiveOp::all_gather, piece, piece.local.at(0).numel() * m.ranks(), kBackward);
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

int shard_dim(const Belief& belief) {
  const Shard* s = std::get_if<Shard>(&belief.placement);
  return s == nullptr ? -1 : s->dim < 0 ? s->dim + belief.global.rank() : s->dim;
}

Shape believed_global(const TensorState& x, const Placement& placement, int ranks) {
  const Shard* s = std::get_if<Shard>(&placement);
  Shape global = x.local.at(0);
  if (s != nullptr) global[s->dim] *= ranks;
  return global;
}

// DTensor.from_local: the plain tensor is believed to lie as `placement` says.
void declare(const Machine& m, TensorState& x, const Placement& placement) {
  if (x.belief) return;
  const Shard* s = std::get_if<Shard>(&placement);
  const Placement absolute = s == nullptr ? placement : Placement(Shard{s->dim < 0 ? s->dim + x.ideal.rank() : s->dim});
  x.belief = Belief{absolute, believed_global(x, absolute, m.ranks())};
}

// DTensor.redistribute to Replicate or Shard(dim), then to_local if `plain`.
void redistribute(Machine& m, TensorState& x, const Placement& target, bool plain) {
  if (!x.belief) return;
  const Belief belief = *x.belief;
  const int from = shard_dim(belief);
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

bool is_colwise(StrategyKind k) { return k == StrategyKind::colwise || k == StrategyKind::colwise_gather_output; }
bool is_rowwise(StrategyKind k) { return k == StrategyKind::rowwise || k == StrategyKind::rowwise_split_input; }
bool is_linear(const ModuleCall& call) { return call.type->kind == ModuleKind::linear; }

// ---- 5.1 - 5.15 ------------------------------------------------------------------------------------------------------------

// A pre-hook that returns one value replaces all positional arguments by it.
void only_first(ModuleCall& call) {
  if (call.positional.size() > 1) call.positional.resize(1);
}

void plain_before_embedding_rows(Machine& m, ModuleCall& call) {
  if (call.parameter("weight") == nullptr) {
    m.fail("TP122", "embedding_rowwise needs a weight, " + call.type->class_name + " has none", "AttributeError: no attribute 'weight'");
    return;
  }
  TensorState* x = first_input(m, call, "TypeError: '<' not supported between tuple and int");
  if (x == nullptr) return;
  if (x->elements != Elements::floating) x->elements = Elements::masked_routing;
}

void plain_before_experts(Machine& m, ModuleCall& call) {
  if (call.positional.size() < 3) {
    call_fault(m, call, "is made for experts called with (hidden_states, top_k_index, top_k_weights)", "IndexError: tuple index out of range");
    return;
  }
  call.positional.resize(3);
  if (!call.positional[0].is_tensor() || !call.positional[2].is_tensor()) return;
  reduce_gradient(m, call.positional[0].tensor);
  reduce_gradient(m, call.positional[2].tensor);
}

void plain_before(Machine& m, const Hook& hook, ModuleCall& call) {
  switch (hook.kind) {
    case StrategyKind::colwise:
    case StrategyKind::colwise_gather_output:
    case StrategyKind::packed_colwise:
      only_first(call);
      if (!call.positional.empty() && call.positional.front().is_tensor()) reduce_gradient(m, call.positional.front().tensor);
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
      if (x != nullptr) *x = linear_map(m, *x, 1.0 / m.ranks(), "div");
      return;
    }
    case StrategyKind::replicated_with_grad_allreduce:
      for (std::int64_t n : hook.descendant_parameters)
        m.communicate(CollectiveOp::all_reduce, Shape{n}, n, m.workload().activations, kBackward);
      return;
    default: return;
  }
}

// The mask over the rows that a rank does not hold, laid over the output by broadcasting.
void plain_after_embedding_rows(Machine& m, ModuleCall& call, const TensorState& ids, TensorState& out) {
  if (ids.elements == Elements::floating) {
    TensorState mask = unsqueeze(m, ids, -1);
    mask.layout = m.wrong("TP123", "features are compared with the rank's range of rows, as if they were token ids");
    out = binary(m, Binary::mul, out, mask);
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

void ep_router_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const bool three = m.dialect().generation() != Generation::dtensor_hooks;
  const std::size_t first = three ? 1 : 0;
  if (call.output.kind != ForwardValue::Kind::tuple || call.output.items.size() < first + 2) {
    call_fault(m, call, "is made for routers that return scores and indices", "ValueError: not enough values to unpack");
    return;
  }
  const std::int64_t experts = call.type->num_experts ? *call.type->num_experts : hook.model->experts;
  if (experts == 0) {
    m.fail("TP122", "ep_router needs num_experts, " + call.type->class_name + " has none", "AttributeError: no attribute 'num_experts'");
    return;
  }
  if (experts % m.ranks() != 0) {
    m.fail("TP103", std::to_string(experts) + " experts cannot be divided over " + std::to_string(m.ranks()) + " ranks",
           "ValueError: The number of experts must be divisible by number of ep_size");
    return;
  }
  call.output.items[first + 1].tensor.elements = Elements::masked_routing;
  if (m.dialect().at_least(5, 17) && call.output.items[first].is_tensor())
    reduce_gradient(m, call.output.items[first].tensor);
}

void mla_after(Machine& m, const Hook& hook, ModuleCall& call, TensorState& out) {
  const std::int64_t rope = hook.model->qk_rope_head_dim;
  if (rope == 0) {
    m.fail("TP122", "mla_kv_a_proj needs qk_rope_head_dim in the configuration", "AttributeError: config has no qk_rope_head_dim");
    return;
  }
  if (out.local.at(0)[-1] < rope) {
    m.fail("TP121", "mla_kv_a_proj splits " + std::to_string(rope) + " columns off an output of " + std::to_string(out.local.at(0)[-1]),
           "RuntimeError: split_with_sizes expects non-negative sizes");
    return;
  }
  const Shape& own = out.local.at(0);
  const Shape columns = own.with(own.rank() - 1, rope);
  m.communicate(CollectiveOp::all_reduce, columns, columns.numel(), m.workload().activations, kBackward);
  (void)call;
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
      TensorState* out = output_tensor(m, call, "TypeError: Expected parameter `tensor` of type torch.Tensor but got tuple");
      if (out == nullptr) return;
      if (hook.kind == StrategyKind::embedding_rowwise) plain_after_embedding_rows(m, call, call.positional.front().tensor, *out);
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
      if (out != nullptr) mla_after(m, hook, call, *out);
      return;
    }
    default: return;
  }
}

// ---- 4.50 - 5.0 (and 4.47 - 4.49, whose torch classes do the same) ------------------------------------------------------------

Placement hooks_input(StrategyKind kind) { return kind == StrategyKind::rowwise ? Placement(Shard{-1}) : Placement(Replicate{}); }

void hooks_before(Machine& m, const Hook& hook, ModuleCall& call) {
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
  const bool embeds = call.type->kind == ModuleKind::embedding;
  declare(m, *x, hooks_input(kind));
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

void hooks_gather(Machine& m, ModuleCall& call) {
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
}

void hooks_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::gather) return hooks_gather(m, call);
  if (kind == StrategyKind::ep_router) return ep_router_after(m, hook, call);
  if (kind == StrategyKind::replicate) {
    if (call.output.is_tensor()) call.output.tensor.belief.reset();
    return;
  }
  const bool distributed = is_colwise(kind) || is_rowwise(kind) || kind == StrategyKind::sequence_parallel;
  if (!distributed) return;
  TensorState* out = output_tensor(m, call, "AttributeError: 'tuple' object has no attribute 'placements'");
  if (out == nullptr) return;
  if (!out->belief) {
    m.fail("TP120", "the module returns a plain tensor where the strategy expects a DTensor", "AttributeError: no attribute 'placements'");
    return;
  }
  redistribute(m, *out, kind == StrategyKind::colwise ? Placement(Shard{-1}) : Placement(Replicate{}), true);
  if (is_rowwise(kind) && !m.failed()) add_hidden_bias(m, call, *out);
}

// ---- 5.16 on -------------------------------------------------------------------------------------------------------------------

void forward_before_colwise(Machine& m, ModuleCall& call, TensorState& x) {
  reduce_gradient(m, x);
  if (is_linear(call)) {
    x.belief.reset();
    use_local_parameters(call);
    return;
  }
  declare(m, x, Replicate{});
}

void forward_before_rowwise(Machine& m, const Hook& hook, ModuleCall& call, TensorState& x) {
  const bool embeds = call.type->kind == ModuleKind::embedding;
  const Placement desired = embeds ? Placement(Replicate{}) : Placement(Shard{-1});
  const Placement given = hook.kind == StrategyKind::rowwise ? Placement(Shard{-1}) : Placement(Replicate{});
  if (is_linear(call)) {
    if (hook.kind == StrategyKind::rowwise_split_input) {
      x = local_chunk(m, x, -1, false);
      if (!m.failed()) gather_gradient(m, x);
    }
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

bool is_embedding_style(StrategyKind k) { return k == StrategyKind::embedding_rowwise || k == StrategyKind::embedding_colwise; }

// Tokens go to the ranks that hold their experts and come back (5.19 on); what the training pass always does.
void record_exchange(Machine& m, const Hook& hook, const Shape& x, std::int64_t top_k, Machine::When when) {
  const int e = hook.expert_ranks, t = hook.tensor_ranks;
  const std::int64_t tokens = x[0], width = x[-1], experts = hook.model->experts;
  const std::int64_t mine = chunk_range(tokens, t, 0).size();
  const DType type = m.workload().activations;
  const std::int64_t rows = mine * top_k;
  m.group = e;
  m.communicate(CollectiveOp::all_to_all, Shape{e, std::max<std::int64_t>(1, experts / e)}, experts, DType::int64, when);
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
  m.group = hook.expert_ranks;
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, kBackward);
  m.communicate(CollectiveOp::all_to_all, Shape{rows, width}, rows * width, type, kBackward, true);
  m.group = 0;
  if (hook.tensor_ranks == 1) return;
  m.communicate(CollectiveOp::all_gather, Shape{mine, top_k}, tokens * top_k, type, kBackward);
  m.communicate(CollectiveOp::all_gather, Shape{mine, width}, tokens * width, type, kBackward);
}

// Inference exchanges tokens too: before 5.23 always, since then only where the expert group is not the tensor group.
bool exchanges_at_inference(const Machine& m, const Hook& hook) {
  return m.dialect().below(5, 23) || hook.expert_ranks != hook.tensor_ranks || hook.exchange_all_to_all;
}

void dispatch_before(Machine& m, ModuleCall& call) {
  std::vector<ForwardValue*> given;
  for (auto& v : call.positional) given.push_back(&v);
  for (auto& [name, v] : call.keyword) given.push_back(&v);
  if (given.size() != 3 || !given[0]->is_tensor() || !given[1]->is_tensor() || !given[2]->is_tensor()) {
    call_fault(m, call, "is made for experts called with (hidden_states, top_k_index, top_k_weights)", "TypeError");
    return;
  }
  given[1]->tensor.elements = Elements::masked_routing;
  use_local_parameters(call);
}

void dispatch_after(Machine& m, const Hook& hook, ModuleCall& call) {
  TensorState* out = output_tensor(m, call, "AttributeError");
  if (out == nullptr) return;
  const ForwardValue& indices = call.positional.size() > 1 ? call.positional[1] : call.keyword[1 - call.positional.size()].second;
  const std::int64_t top_k = indices.tensor.local.at(0)[-1];
  const Shape x = out->local.at(0);
  if (exchanges_at_inference(m, hook)) {
    record_exchange(m, hook, x, top_k, Machine::When::inference);
    if (out->layout.content == Content::partial) out->layout.content = Content::replicated;
  } else {
    *out = all_reduce(m, *out, Machine::When::inference);
  }
  record_exchange(m, hook, x, top_k, Machine::When::training);
  record_exchange_backward(m, hook, x, top_k);
}

void forward_before(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::ep_dispatch_experts || kind == StrategyKind::all_to_all_experts) return dispatch_before(m, call);
  if (kind == StrategyKind::local_params) return use_local_parameters(call);
  if (kind == StrategyKind::replicated_with_grad_allreduce) {
    for (const TensorState& p : call.parameters) {
      const std::int64_t n = p.local.at(0).numel();
      m.communicate(CollectiveOp::all_reduce, p.local.at(0), n, m.workload().activations, kBackward);
    }
    return;
  }
  const bool acts = is_colwise(kind) || is_rowwise(kind) || is_embedding_style(kind) || kind == StrategyKind::packed_colwise ||
                    kind == StrategyKind::moe_tp_experts || kind == StrategyKind::moe_identity_expert ||
                    kind == StrategyKind::sequence_parallel;
  if (!acts) return;
  TensorState* x = first_input(m, call, "IndexError: tuple index out of range");
  if (x == nullptr) return;
  const bool rows = is_rowwise(kind) || (kind == StrategyKind::embedding_rowwise && m.dialect().below(5, 21));
  if (is_colwise(kind)) return forward_before_colwise(m, call, *x);
  if (rows) return forward_before_rowwise(m, hook, call, *x);
  if (is_embedding_style(kind)) {
    if (call.type->kind != ModuleKind::embedding) reduce_gradient(m, *x);
    return declare(m, *x, Replicate{});
  }
  if (kind == StrategyKind::packed_colwise) {
    reduce_gradient(m, *x);
    x->belief.reset();
    return use_local_parameters(call);
  }
  if (kind == StrategyKind::moe_tp_experts) return forward_before_experts(m, hook, call, *x);
  if (kind == StrategyKind::moe_identity_expert) {
    *x = linear_map(m, *x, 1.0 / m.ranks(), "div");
    return;
  }
  for (TensorState& p : call.parameters) p.belief = Belief{Replicate{}, p.local.at(0)};
  if (x->ideal.rank() < 2) {
    m.fail("TP121", "sequence_parallel needs an input with a sequence dimension", "IndexError");
    return;
  }
  declare(m, *x, Shard{1});
}

void forward_after_colwise(Machine& m, const Hook& hook, ModuleCall& call, TensorState& out) {
  if (is_linear(call)) {
    if (hook.kind == StrategyKind::colwise_gather_output) out = all_gather(m, out, -1, true);
    return;
  }
  if (!out.belief) declare(m, out, Shard{-1});
  redistribute(m, out, hook.kind == StrategyKind::colwise ? Placement(Shard{-1}) : Placement(Replicate{}), true);
}

void forward_after(Machine& m, const Hook& hook, ModuleCall& call) {
  const StrategyKind kind = hook.kind;
  if (kind == StrategyKind::ep_dispatch_experts || kind == StrategyKind::all_to_all_experts) return dispatch_after(m, hook, call);
  if (kind == StrategyKind::ep_router) return ep_router_after(m, hook, call);
  if (kind == StrategyKind::sequence_parallel) {
    if (call.output.is_tensor()) call.output.tensor.belief.reset();
    return;
  }
  if ((kind == StrategyKind::all_reduce || kind == StrategyKind::moe_tp_experts) && call.output.kind == ForwardValue::Kind::none) return;
  const bool acts = is_colwise(kind) || is_rowwise(kind) || is_embedding_style(kind) || kind == StrategyKind::all_reduce ||
                    kind == StrategyKind::moe_tp_experts || kind == StrategyKind::mla_kv_a_proj;
  if (!acts) return;
  if (kind == StrategyKind::moe_tp_experts && m.dialect().below(5, 23) && !hook.split_descendants) return;
  TensorState* out = output_tensor(m, call, "TypeError: Expected parameter `tensor` of type torch.Tensor but got tuple");
  if (out == nullptr) return;
  if (is_colwise(kind)) return forward_after_colwise(m, hook, call, *out);
  if (kind == StrategyKind::mla_kv_a_proj) return mla_after(m, hook, call, *out);
  if (is_embedding_style(kind) && m.dialect().at_least(5, 21)) {
    if (!out->belief) declare(m, *out, kind == StrategyKind::embedding_rowwise ? Placement(Partial{}) : Placement(Shard{-1}));
    return redistribute(m, *out, Replicate{}, true);
  }
  if (out->belief)
    redistribute(m, *out, Replicate{}, true);
  else
    *out = all_reduce(m, *out);
  if ((is_rowwise(kind) || kind == StrategyKind::embedding_rowwise) && !m.failed()) add_hidden_bias(m, call, *out);
}

// ---- strategies described by data: plain tensors in every version ----------------------------------------------------------------

void custom_before(Machine& m, const CustomStrategy& s, ModuleCall& call) {
  use_local_parameters(call);
  if (s.bias_after_reduction) hide_bias(call);
  if (!s.split_input && !s.backward_input) return;
  TensorState* x = first_input(m, call, "no positional input");
  if (x == nullptr) return;
  if (s.split_input) *x = local_chunk(m, *x, -1, false);
  if (!s.backward_input || m.failed()) return;
  const std::int64_t factor = *s.backward_input == CollectiveOp::all_gather ? m.ranks() : 1;
  m.communicate(*s.backward_input, *x, x->local.at(0).numel() * factor, kBackward);
}

void custom_after(Machine& m, const CustomStrategy& s, ModuleCall& call) {
  TensorState* out = s.forward || s.bias_after_reduction ? output_tensor(m, call, "no tensor output") : nullptr;
  if (out == nullptr) return;
  if (s.forward == CollectiveOp::all_reduce) *out = all_reduce(m, *out);
  if (s.forward == CollectiveOp::all_gather) *out = all_gather(m, *out, -1, true);
  if (s.forward == CollectiveOp::reduce_scatter) *out = reduce_scatter(m, *out, 1);
  if (!m.failed() && s.bias_after_reduction) add_hidden_bias(m, call, *out);
}

Cause module_refusal(const std::string& message, const std::string& library) {
  Cause cause;
  cause.code = "TP122";
  cause.message = message;
  cause.library = library;
  return cause;
}

}  // namespace

std::optional<Cause> refused_by_module(const Hook& hook, const ModuleType& type, const Dialect& dialect, int ranks) {
  if (hook.custom != nullptr) return std::nullopt;
  const bool checked_types = dialect.at_least(5, 21);
  if (checked_types && is_colwise(hook.kind) && !type.out_features)
    return module_refusal("colwise is for linear layers: " + type.class_name + " has no out_features",
                          "ValueError: " + type.class_name + " has no `out_features`: colwise shards linear layers.");
  if (checked_types && is_rowwise(hook.kind) && !type.in_features)
    return module_refusal("rowwise is for linear layers: " + type.class_name + " has no in_features",
                          "ValueError: " + type.class_name + " has no `in_features`: rowwise shards linear layers.");
  const bool checked_size = dialect.at_least(5, 14) && dialect.below(5, 21);
  if (checked_size && hook.kind == StrategyKind::colwise_gather_output && type.out_features && *type.out_features % ranks != 0) {
    Cause cause = module_refusal("an output of " + std::to_string(*type.out_features) + " features cannot be gathered from " +
                                     std::to_string(ranks) + " equal shards",
                                 "ValueError: the output size must be divisible by the tensor parallel size");
    cause.code = "TP103";
    return cause;
  }
  return std::nullopt;
}

bool is_installed(const Hook& hook, const ModuleType& type, const Dialect& dialect) {
  if (dialect.generation() != Generation::dtensor_hooks || hook.custom != nullptr) return true;
  if (is_rowwise(hook.kind)) return type.kind == ModuleKind::linear || type.kind == ModuleKind::embedding;
  return hook.kind != StrategyKind::local_colwise && hook.kind != StrategyKind::local_rowwise &&
         hook.kind != StrategyKind::local_packed_rowwise && hook.kind != StrategyKind::grouped_gemm;
}

void before_call(Machine& m, const Hook& hook, ModuleCall& call) {
  if (hook.custom != nullptr) return custom_before(m, *hook.custom, call);
  switch (m.dialect().generation()) {
    case Generation::dtensor_modules:
    case Generation::dtensor_hooks: return hooks_before(m, hook, call);
    case Generation::plain_hooks: return plain_before(m, hook, call);
    case Generation::dtensor_forward: return forward_before(m, hook, call);
  }
}

void after_call(Machine& m, const Hook& hook, ModuleCall& call) {
  if (hook.custom != nullptr) return custom_after(m, *hook.custom, call);
  switch (m.dialect().generation()) {
    case Generation::dtensor_modules:
    case Generation::dtensor_hooks: return hooks_after(m, hook, call);
    case Generation::plain_hooks: return plain_after(m, hook, call);
    case Generation::dtensor_forward: return forward_after(m, hook, call);
  }
}

}  // namespace tpsim
