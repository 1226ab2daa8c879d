// Writes the Recording of a symbolic run. Off by default: a Machine without a recorder notes nothing.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "core/call.h"
#include "core/machine.h"
#include "core/recording.h"

namespace tpsim {

class Recorder {
public:
  Recording recording;
  RecordedOp numbers;  // attributes of the operation or leaf that runs; every note takes them along

  // Of an instruction that is about to run. `function`: its text, or the activation module that stands for it.
  void take_numbers(const Instruction& code, const std::string& function);

  // Value numbers of the code that is being written: the pass, or the layer that is open.
  int new_value() { return in_layer_ ? layer_.values++ : recording.values++; }
  RecordedOp* add(RecordedOp op);
  RecordedTrace& open_trace() { return in_layer_ ? layer_ : ends_; }

  bool has_ends() const { return !ends_.code.empty(); }
  void close_ends();
  // Renumbers the tensors of a layer's inputs from 0 and returns what they were.
  std::vector<int> open_layer(ModuleCall& call);
  void close_layer();
  // A run of a layer with these inputs: its outputs become values of the pass.
  void add_step(std::vector<int> inputs, ForwardValue& output);

private:
  RecordedTrace ends_, layer_;
  bool in_layer_ = false;
};

// Values of the tensors among the arguments, in order.
std::vector<int> values_of(ModuleCall& call);

// Notes an operation and gives its results their values. Null inputs are absent. No effect without a recorder.
RecordedOp* note(Machine& m, Op op, const std::vector<const TensorState*>& inputs,
                 const std::vector<TensorState*>& results);
RecordedOp* note(Machine& m, Primitive primitive, const std::vector<const TensorState*>& inputs,
                 const std::vector<TensorState*>& results, std::vector<std::int64_t> ints = {});
// An instruction that has run, unless it was noted where it did.
void note_operation(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots, ForwardValue& value);
void note_parameter(Machine& m, const std::string& name, TensorState& state);
// What a module's call returns.
void note_output(Machine& m, const ForwardValue& output);
// What follows cannot be executed, and why.
void note_unsupported(Machine& m, const std::string& what, TensorState& state);
// Routes of other ranks' experts are taken out: weights [T, k] or, `dense`, [T, experts], and indices [T, k].
void note_own_routes(Machine& m, TensorState& weights, TensorState& indices, std::int64_t experts, int ranks,
                     bool dense);
// Whether a training step is written down.
bool notes_training(const Machine& m);
// In training: the gradient of `x` goes through a collective on its way back; `x` becomes what that comes behind.
// `columns`: of the last ones only, 0 = all; `group`: ranks that take part with each other, 0 = all.
void note_gradient(Machine& m, CollectiveOp op, TensorState& x, std::int64_t columns = 0, int group = 0);
// In training: the backward of the operation that made `x` just now communicates.
void note_backward(Machine& m, CollectiveOp op, const TensorState& x);
// The ranges of a dimension that the ranks hold; empty without a partition.
std::vector<std::vector<Range>> ranges_of(const Machine& m, const TensorState& x);

}  // namespace tpsim
