#include "core/leaf_call.h"

#include <cstddef>

#include "core/recorder.h"
#include "core/recurrent_ops.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

const ForwardValue* argument(const ModuleCall& call, std::size_t index) {
  if (index < call.positional.size()) return &call.positional[index];
  index -= call.positional.size();
  return index < call.keyword.size() ? &call.keyword[index].second : nullptr;
}

const TensorState* tensor_argument(Machine& m, ModuleCall& call, std::size_t index) {
  const ForwardValue* value = argument(call, index);
  if (value != nullptr && value->is_tensor()) return &value->tensor;
  m.fail("TP121", call.type->class_name + " does not get the inputs its forward needs",
         "TypeError: missing required positional argument");
  return nullptr;
}

ForwardValue run_rotary(Machine& m, ModuleCall& call) {
  const TensorState* positions = tensor_argument(m, call, 1);
  if (positions == nullptr) return {};
  const std::vector<Rotary>& kinds = call.type->rotaries;
  const Rotary& rotary = kinds[m.rotary_calls[call.type]++ % kinds.size()];
  TensorState angles = *positions;
  angles.elements = Elements::floating;
  angles.storage = kNewStorage;
  const auto widen = [&](Shape s) {
    s.push_back(rotary.columns);
    return s;
  };
  angles.ideal = widen(angles.ideal);
  angles.local = angles.local.map(widen);
  TensorState sines = angles;
  if (m.recorder != nullptr) {
    std::vector<Rotary>& known = m.recorder->recording.rotaries;
    note(m, Primitive::rotary, {positions}, {&angles, &sines}, {static_cast<std::int64_t>(known.size())});
    known.push_back(rotary);
  }
  return ForwardValue(std::vector<ForwardValue>{std::move(angles), std::move(sines)});
}

}  // namespace

namespace {

// What a leaf computes with beside its tensors.
void take_numbers(Machine& m, const ModuleType& type) {
  if (m.recorder == nullptr) return;
  RecordedOp& numbers = m.recorder->numbers = {};
  numbers.text = type.text;
  numbers.number = type.kind == ModuleKind::embedding ? type.scale : type.eps;
  numbers.offset = type.offset;
  numbers.ints = {type.kind == ModuleKind::layer_norm ? 1 : 0};
}

ForwardValue activated(Machine& m, const TensorState& x, const ModuleType& type) {
  TensorState result = nonlinear(m, x, type.text.c_str());
  note(m, Op::act, {&x}, {&result});
  return result;
}

ForwardValue convolved(Machine& m, const TensorState& x, const ModuleCall& call) {
  const TensorState& weight = *call.parameter("weight");
  const TensorState* bias = call.parameter("bias");
  TensorState result = causal_conv(m, x, weight, bias, call.type->extent);
  note(m, Op::causal_conv, {&x, &weight, bias}, {&result});
  return result;
}

}  // namespace

ForwardValue run_leaf(Machine& m, ModuleCall& call) {
  const TensorState* x = tensor_argument(m, call, 0);
  if (x == nullptr) return {};
  const ModuleType& type = *call.type;
  take_numbers(m, type);
  switch (type.kind) {
    case ModuleKind::linear: return linear(m, *x, *call.parameter("weight"), call.parameter("bias"));
    case ModuleKind::conv1d: return linear(m, *x, *call.parameter("weight"), call.parameter("bias"), true);
    case ModuleKind::embedding: return embedding(m, *x, *call.parameter("weight"));
    case ModuleKind::rms_norm: return normalise(m, *x, call.parameter("weight"), call.parameter("bias"), false);
    case ModuleKind::layer_norm:
      return normalise(m, *x, call.parameter("weight"), call.parameter("bias"), type.class_name == "LayerNorm");
    case ModuleKind::activation: return activated(m, *x, type);
    case ModuleKind::dropout:
    case ModuleKind::identity: return *x;
    case ModuleKind::rotary: return run_rotary(m, call);
    case ModuleKind::depthwise_conv: return convolved(m, *x, call);
    case ModuleKind::block: break;
  }
  return {};
}

}  // namespace tpsim
