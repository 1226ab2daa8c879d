#include "core/recorder.h"

#include <utility>

#include "core/trace_graph.h"

namespace tpsim {
namespace {

template <class F>
void each_tensor(ForwardValue& value, F f) {
  if (value.is_tensor()) f(value.tensor);
  for (ForwardValue& item : value.items) each_tensor(item, f);
}

template <class F>
void each_argument(ModuleCall& call, F f) {
  for (ForwardValue& value : call.positional) each_tensor(value, f);
  for (auto& [name, value] : call.keyword) each_tensor(value, f);
}

// Operations that strategies use, too, or that move tensors on the way, are noted where they run.
bool notes_itself(Op op) {
  switch (op) {
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::div:
    case Op::linear:
    case Op::norm_free:
    case Op::lookup:
    case Op::slice:
    case Op::split_size: return true;
    default: return false;
  }
}

RecordedOp* append(Machine& m, RecordedOp op, const std::vector<const TensorState*>& inputs,
                   const std::vector<TensorState*>& results) {
  op.module = m.module;
  op.data_dependent = m.data_dependent;
  op.operations = m.trace == nullptr ? 0 : m.trace->operations.size();
  op.gradients = m.gradients;
  for (const TensorState* x : inputs) op.inputs.push_back(x == nullptr ? -1 : x->value);
  for (TensorState* x : results) {
    x->value = m.recorder->new_value();
    op.outputs.push_back(x->value);
    op.shapes.push_back(x->local);
  }
  return m.recorder->add(std::move(op));
}

}  // namespace

RecordedOp* Recorder::add(RecordedOp op) {
  std::vector<RecordedOp>& code = open_trace().code;
  code.push_back(std::move(op));
  return &code.back();
}

void Recorder::take_numbers(const Instruction& code, const std::string& function) {
  numbers = {};
  numbers.ints = code.op == Op::norm_free ? std::vector<std::int64_t>{0} : code.ints;
  numbers.number = code.op == Op::lookup ? 1 : code.number;
  numbers.softcap = code.softcap;
  numbers.text = function;
}

void Recorder::close_ends() {
  recording.traces.push_back(std::exchange(ends_, {}));
  recording.steps.emplace_back();
}

std::vector<int> Recorder::open_layer(ModuleCall& call) {
  layer_ = {};
  in_layer_ = true;
  std::vector<int> outer;
  each_argument(call, [&](TensorState& x) {
    outer.push_back(x.value);
    x.value = layer_.values++;
  });
  layer_.inputs = layer_.values;
  return outer;
}

void Recorder::close_layer() {
  in_layer_ = false;
  recording.traces.push_back(std::exchange(layer_, {}));
}

void Recorder::add_step(std::vector<int> inputs, ForwardValue& output) {
  RecordedStep step;
  step.inputs = std::move(inputs);
  each_tensor(output, [&](TensorState& x) {
    step.outputs.emplace_back(x.value, recording.values);
    x.value = recording.values++;
  });
  recording.steps.push_back(std::move(step));
}

std::vector<int> values_of(ModuleCall& call) {
  std::vector<int> values;
  each_argument(call, [&](TensorState& x) { values.push_back(x.value); });
  return values;
}

RecordedOp* note(Machine& m, Op op, const std::vector<const TensorState*>& inputs,
                 const std::vector<TensorState*>& results) {
  if (m.recorder == nullptr || m.failed()) return nullptr;
  RecordedOp recorded = m.recorder->numbers;
  recorded.op = op;
  return append(m, std::move(recorded), inputs, results);
}

RecordedOp* note(Machine& m, Primitive primitive, const std::vector<const TensorState*>& inputs,
                 const std::vector<TensorState*>& results, std::vector<std::int64_t> ints) {
  if (m.recorder == nullptr || m.failed()) return nullptr;
  RecordedOp recorded;
  recorded.primitive = primitive;
  recorded.ints = std::move(ints);
  return append(m, std::move(recorded), inputs, results);
}

void note_operation(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots, ForwardValue& value) {
  if (m.recorder == nullptr || notes_itself(code.op)) return;
  std::vector<const TensorState*> inputs;
  for (int slot : code.inputs) {
    const bool tensor = slot >= 0 && slots[static_cast<std::size_t>(slot)].is_tensor();
    inputs.push_back(tensor ? &slots[static_cast<std::size_t>(slot)].tensor : nullptr);
  }
  std::vector<TensorState*> results;
  if (value.is_tensor()) results.push_back(&value.tensor);
  for (ForwardValue& item : value.items) results.push_back(&item.tensor);
  RecordedOp* noted = note(m, code.op, inputs, results);
  // Weights of all experts or of the chosen ones: on a rank the shapes may not tell.
  if (noted != nullptr && code.op == Op::experts)
    noted->ints.push_back(inputs[2]->ideal[-1] != inputs[1]->ideal[-1] ? 1 : 0);
}

void note_parameter(Machine& m, const std::string& name, TensorState& state) {
  if (RecordedOp* op = note(m, Primitive::parameter, {}, {&state}))
    op->text = m.module.empty() ? name : m.module + "." + name;
}

void note_output(Machine& m, const ForwardValue& output) {
  if (m.recorder == nullptr || m.failed()) return;
  const TensorState* x = first_tensor(output);
  if (x == nullptr || x->elements != Elements::floating) return;
  RecordedTrace& trace = m.recorder->open_trace();
  trace.outputs.push_back({m.module, x->value, trace.code.size(), x->layout, ranges_of(m, *x)});
}

void note_unsupported(Machine& m, const std::string& what, TensorState& state) {
  const TensorState before = state;
  if (RecordedOp* op = note(m, Primitive::unsupported, {&before}, {&state})) op->text = what;
}

void note_own_routes(Machine& m, TensorState& weights, TensorState& indices, std::int64_t experts, int ranks,
                     bool dense) {
  const TensorState all_weights = weights, all_indices = indices;
  RecordedOp* op = note(m, Primitive::own_routes, {&all_weights, &all_indices}, {&weights, &indices},
                        {experts, ranks, dense ? 1 : 0});
  if (op != nullptr && dense)
    op->shapes[0] = weights.local.map([&](const Shape& s) { return s.with(s.rank() - 1, experts / ranks); });
}

bool notes_training(const Machine& m) { return m.recorder != nullptr && m.recorder->recording.training; }

void note_gradient(Machine& m, CollectiveOp op, TensorState& x, std::int64_t columns, int group) {
  if (!notes_training(m)) return;
  const TensorState before = x;
  if (RecordedOp* noted = note(m, Primitive::gradient, {&before}, {&x}, {columns, group})) noted->backward = op;
}

void note_backward(Machine& m, CollectiveOp op, const TensorState& x) {
  if (!notes_training(m) || m.failed()) return;
  std::vector<RecordedOp>& code = m.recorder->open_trace().code;
  if (!code.empty() && code.back().outputs == std::vector<int>{x.value}) code.back().backward = op;
}

std::vector<std::vector<Range>> ranges_of(const Machine& m, const TensorState& x) {
  return x.layout.content == Content::sharded ? m.partitions[x.layout.partition].ranks
                                              : std::vector<std::vector<Range>>{};
}

}  // namespace tpsim
