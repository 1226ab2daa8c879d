#include "core/operation_step.h"

#include <algorithm>
#include <utility>

#include "core/attention_ops.h"
#include "core/grouped_ops.h"
#include "core/recurrent_ops.h"
#include "core/scan_kinds.h"
#include "core/tensor_ops.h"

namespace tpsim {
namespace {

class OperationStep {
public:
  OperationStep(Machine& m, bool splits_sequence) : m_(m), splits_sequence_(splits_sequence) {}

  ForwardValue compute(const Instruction& code, const std::vector<ForwardValue>& slots) {
    for (std::size_t i = 0; i < code.inputs.size() && i < 2; ++i)
      if (code.inputs[i] >= 0) (void)in(code, slots, i);
    if (m_.failed()) return {};
    const auto dim = [&](std::size_t i) { return static_cast<int>(number(code, i)); };
    const auto x = [&]() -> const TensorState& { return in(code, slots, 0); };
    switch (code.op) {
      case Op::view_heads: return view_heads(m_, x(), number(code, 0));
      case Op::merge_heads: return merge_heads(m_, x());
      case Op::flatten_tokens: return flatten_tokens(m_, x());
      case Op::unflatten_tokens: return unflatten_tokens(m_, x(), in(code, slots, 1));
      case Op::transpose: return transpose(m_, x(), dim(0), dim(1));
      case Op::reshape: return reshape(m_, x(), code.ints);
      case Op::unsqueeze: return unsqueeze(m_, x(), dim(0));
      case Op::squeeze: return squeeze(m_, x(), dim(0));
      case Op::expand: return expand(m_, x(), in(code, slots, 1));
      case Op::slice: return slice(m_, x(), dim(0), number(code, 1), number(code, 2, kOpenEnd));
      case Op::split: return tuple_of(split(m_, x(), dim(0), {code.ints.begin() + 1, code.ints.end()}));
      case Op::chunk: return tuple_of(chunk(m_, x(), dim(0), dim(1)));
      case Op::split_size:
        return tuple_of(split_by_size(m_, x(), dim(0), number(code, 1), static_cast<int>(code.outputs.size())));
      case Op::causal_conv: return causal_conv(m_, x(), in(code, slots, 1), optional_in(code, slots, 2));
      case Op::scan: return run_scan(code, slots);
      case Op::sum: return sum_over(m_, x(), dim(0), number(code, 1) != 0);
      case Op::bmm: return bmm(m_, x(), in(code, slots, 1));
      case Op::repeat_rows: return repeat_rows(m_, x(), in(code, slots, 1));
      case Op::split_rows: return split_rows(m_, x(), in(code, slots, 1));
      case Op::sum_groups: return sum_groups(m_, x(), in(code, slots, 1));
      case Op::repeat_heads: return repeat_heads(m_, x(), number(code, 0));
      case Op::relative_bias: return relative_bias(m_, x());
      case Op::lookup: return embedding(m_, x(), in(code, slots, 1));
      case Op::opaque: return opaque(m_, code.text, x(), tensors_from(code, slots, 1));
      case Op::concat: return concatenate(code, slots);
      case Op::add: return binary(m_, Binary::add, x(), in(code, slots, 1));
      case Op::sub: return binary(m_, Binary::sub, x(), in(code, slots, 1));
      case Op::mul: return binary(m_, Binary::mul, x(), in(code, slots, 1));
      case Op::div: return binary(m_, Binary::div, x(), in(code, slots, 1));
      case Op::add_number: return nonlinear(m_, x(), "add", 1);
      case Op::scale: return linear_map(m_, x(), 1, "mul");
      case Op::act: return nonlinear(m_, x(), code.text.c_str());
      case Op::softmax: return softmax(m_, x());
      case Op::normalize: return softmax(m_, x());
      case Op::norm_free: return normalise(m_, x(), nullptr, nullptr, false);
      case Op::cast: return cast(m_, x());
      case Op::linear: return linear(m_, x(), in(code, slots, 1), optional_in(code, slots, 2));
      case Op::causal_mask: return sequence_tensor(x(), true);
      case Op::positions: return sequence_tensor(x(), false);
      case Op::angles: return angles(x(), number(code, 0));
      case Op::previous: return previous(m_, x());
      case Op::rope: {
        TensorState q = rope(m_, x(), in(code, slots, 2), in(code, slots, 3));
        if (m_.failed()) return {};
        return tuple_of({std::move(q), rope(m_, in(code, slots, 1), in(code, slots, 2), in(code, slots, 3))});
      }
      case Op::rope_one: return rope(m_, x(), in(code, slots, 1), in(code, slots, 2));
      case Op::attention:
        return attention(m_, x(), in(code, slots, 1), in(code, slots, 2),
                         {optional_in(code, slots, 4), optional_in(code, slots, 5)}, attention_numbers(code));
      case Op::topk_route: {
        auto [weights, indices] = topk_route(m_, x(), number(code, 0));
        return tuple_of({std::move(weights), std::move(indices)});
      }
      case Op::scatter_topk: return scatter_topk(m_, x(), in(code, slots, 1), in(code, slots, 2));
      case Op::experts: return run_experts(code, slots);
      default: break;
    }
    m_.fail("TP000", "an operation of the description has no meaning here");
    return {};
  }

private:
  const TensorState& in(const Instruction& code, const std::vector<ForwardValue>& slots, std::size_t i) {
    return tensor_input(m_, code, slots, i);
  }

  const TensorState* optional_in(const Instruction& code, const std::vector<ForwardValue>& slots, std::size_t i) const {
    const int slot = i < code.inputs.size() ? code.inputs[i] : -1;
    return slot >= 0 && slots[static_cast<std::size_t>(slot)].is_tensor()
               ? &slots[static_cast<std::size_t>(slot)].tensor
               : nullptr;
  }

  static std::int64_t number(const Instruction& code, std::size_t i, std::int64_t otherwise = 0) {
    return i < code.ints.size() ? code.ints[i] : otherwise;
  }

  static ForwardValue tuple_of(std::vector<TensorState> parts) {
    std::vector<ForwardValue> items;
    for (TensorState& part : parts) items.emplace_back(std::move(part));
    return ForwardValue(std::move(items));
  }

  static AttentionNumbers attention_numbers(const Instruction& code) {
    AttentionNumbers numbers;
    numbers.groups = std::max<std::int64_t>(1, number(code, kGroups, 1));
    numbers.window = number(code, kWindow) > 0 ? number(code, kWindow) : number(code, kChunk);
    numbers.latent_cache_width = std::max<std::int64_t>(0, number(code, kLatentWidth));
    numbers.shares_cache = number(code, kLatentWidth) == kSharedCache;
    numbers.keeps_state = code.text == "lightning";
    return numbers;
  }

  std::vector<const TensorState*> tensors_from(const Instruction& code, const std::vector<ForwardValue>& slots,
                                               std::size_t first) {
    std::vector<const TensorState*> parts;
    for (std::size_t i = first; i < code.inputs.size(); ++i) parts.push_back(&in(code, slots, i));
    return parts;
  }

  ForwardValue concatenate(const Instruction& code, const std::vector<ForwardValue>& slots) {
    const std::vector<const TensorState*> parts = tensors_from(code, slots, 0);
    if (m_.failed()) return {};
    return concat(m_, parts, static_cast<int>(number(code, 0, -1)));
  }

  ForwardValue sequence_tensor(const TensorState& x, bool mask) {
    const std::int64_t past = m_.workload().past;
    const auto shape = [&](const Shape& s) {
      const std::int64_t tokens = s.rank() > 1 ? s[1] : s[0];
      return mask ? Shape{1, 1, tokens, tokens + past} : Shape{1, tokens};
    };
    TensorState state = replicated(m_, shape(x.ideal), mask ? Elements::floating : Elements::ids);
    const bool split_sequence = splits_sequence_ && x.layout.content == Content::sharded && x.layout.dim == 1;
    if (!split_sequence) state.local = x.local.map(shape);  // a sequence-parallel runtime counts all positions
    if (x.layout.content == Content::wrong && !(state.local.at(0) == state.ideal)) state.layout = x.layout;
    // Attention kernels apply the causal rule themselves; no mask of S x S is kept.
    if (mask) state.storage = kPersistentStorage;
    return state;
  }

  ForwardValue angles(const TensorState& x, std::int64_t columns) {
    TensorState state = sequence_tensor(x, false).tensor;
    const auto widen = [&](Shape s) {
      s.push_back(columns);
      return s;
    };
    state.elements = Elements::floating;
    state.ideal = widen(state.ideal);
    state.local = state.local.map(widen);
    return tuple_of({state, state});
  }

  ForwardValue run_scan(const Instruction& code, const std::vector<ForwardValue>& slots) {
    std::vector<const TensorState*> inputs;
    for (std::size_t i = 0; i < code.inputs.size(); ++i) inputs.push_back(&in(code, slots, i));
    return m_.failed() ? ForwardValue{} : ForwardValue(scan(m_, *find_scan(code.text), inputs));
  }

  ForwardValue run_experts(const Instruction& code, const std::vector<ForwardValue>& slots) {
    ExpertTensors tensors;
    tensors.gate_up = &in(code, slots, 3);
    tensors.down = &in(code, slots, 4);
    tensors.gate_up_bias = optional_in(code, slots, 5);
    tensors.down_bias = optional_in(code, slots, 6);
    tensors.transposed = number(code, 0) != 0;
    tensors.interleaved = number(code, 1) != 0;
    tensors.gated = number(code, 2) == 0;
    const TensorState &x = in(code, slots, 0), &indices = in(code, slots, 1), &weights = in(code, slots, 2);
    if (m_.failed()) return {};
    return experts(m_, x, indices, weights, tensors);
  }

  Machine& m_;
  bool splits_sequence_;
};

}  // namespace

const TensorState& tensor_input(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots,
                                std::size_t i) {
  const int slot = i < code.inputs.size() ? code.inputs[i] : -1;
  if (slot >= 0 && slots[static_cast<std::size_t>(slot)].is_tensor())
    return slots[static_cast<std::size_t>(slot)].tensor;
  m.fail("TP121", "an operation needs a tensor and gets none", "TypeError");
  static const TensorState kNothing;
  return kNothing;
}

ForwardValue run_operation(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots,
                           bool splits_sequence) {
  return OperationStep(m, splits_sequence).compute(code, slots);
}

}  // namespace tpsim
