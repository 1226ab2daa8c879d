#include "exec/operations.h"

#include <memory>
#include <numeric>
#include <utility>

#include "exec/kernels/attention.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/experts.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/named.h"
#include "exec/kernels/recurrent.h"
#include "exec/kernels/rope.h"
#include "exec/kernels/shape_kernels.h"
#include "exec/operation_settings.h"

namespace tpsim::exec {
namespace {

template <class Real>
class Execution {
public:
  using Values = std::vector<Tensor<Real>>;

  Execution(const RecordedOp& op, const std::vector<const Tensor<Real>*>& inputs, const OperationContext<Real>& context)
      : op_(op), in_(inputs), context_(context) {}

  Values run() {
    switch (op_.primitive) {
      case Primitive::operation: return operation();
      case Primitive::rotary: return angles();
      case Primitive::embedding: return {embedding(x(), *in_[1], op_.number, held_rows())};
      case Primitive::norm: return {norm(x(), at(1), at(2), norm_numbers(op_), shape(0))};
      case Primitive::own_routes:
        return chosen(own_routes(x(), *in_[1], op_.ints[0] / op_.ints[1], context_.rank, op_.ints[2] != 0));
      case Primitive::expert_rows: {
        auto rows = expert_rows(x(), *in_[1], *in_[2], op_.ints[0]);
        return {std::move(rows.rows), std::move(rows.weights)};
      }
      case Primitive::add_expert_rows: return {with_expert_rows(x(), *in_[1], *in_[2], op_.ints[0])};
      case Primitive::gradient: return {x()};
      case Primitive::zeros: return {make_tensor<Real>(x().shape)};
      case Primitive::own_chunk: return {slice(x(), dim_at(op_, 0), own_chunk())};
      case Primitive::parameter:
      case Primitive::reduce:
      case Primitive::gather:
      case Primitive::scatter:
      case Primitive::send_to_experts:
      case Primitive::return_to_tokens:
      case Primitive::unsupported: break;
    }
    return {};
  }

private:
  const Tensor<Real>& x() const { return *in_[0]; }
  const Tensor<Real>* at(std::size_t i) const { return i < in_.size() ? in_[i] : nullptr; }
  // The output's shape; where routing decides the number of rows, that of the input.
  Shape shape(std::size_t output) const {
    const Shape& recorded = op_.shapes[output].at(context_.rank);
    return op_.data_dependent && recorded.rank() > 0 ? recorded.with(0, x().shape[0]) : recorded;
  }

  std::span<const Range> held_rows() const {
    if (op_.ranges.empty()) return {};
    return op_.ranges[static_cast<std::size_t>(context_.rank)];
  }

  Range own_chunk() const {
    const std::int64_t extent = x().shape[dim_at(op_, 0)];
    return chunk_range(extent, static_cast<int>(number_at(op_, 1)), context_.rank);
  }

  static Tensor<Real> as_numbers(const Tensor<Real>& x) {
    if (x.whole == nullptr) return x;
    return {x.shape, std::make_shared<std::vector<Real>>(x.whole->begin(), x.whole->end()), nullptr};
  }

  static Values chosen(Routes<Real> routes) { return {std::move(routes.weights), std::move(routes.indices)}; }

  Values angles() const {
    auto result =
        rotary_angles((*context_.rotaries)[static_cast<std::size_t>(op_.ints[0])], x(), context_.past + x().shape[-1]);
    return {std::move(result.cos), std::move(result.sin)};
  }

  Values operation() {
    if (is_view(op_.op)) return {viewed(x(), shape(0))};
    switch (op_.op) {
      case Op::cast: return {as_numbers(x())};
      case Op::transpose: return {transpose(x(), dim_at(op_, 0), dim_at(op_, 1))};
      case Op::expand: return {expand(x(), shape(0))};
      case Op::slice: return {slice(x(), dim_at(op_, 0), op_.ranges[static_cast<std::size_t>(context_.rank)].front())};
      case Op::split:
      case Op::chunk: return pieces();
      case Op::concat: return {concat(in_, dim_at(op_, 0))};
      case Op::add:
      case Op::sub:
      case Op::mul:
      case Op::div: return {binary(arithmetic_of(op_.op), x(), *in_[1], shape(0))};
      case Op::add_number: return {shifted(x(), op_.number)};
      case Op::scale: return {scaled(x(), op_.number)};
      case Op::act: return {activated(x(), op_.text, op_.number, {in_.begin() + 1, in_.end()})};
      case Op::softmax: return {softmax(x())};
      case Op::normalize: return {normalised(x())};
      case Op::linear: return {linear(x(), *in_[1], at(2), number_at(op_, 0) != 0)};
      case Op::bmm: return {bmm(x(), *in_[1])};
      case Op::causal_mask: return {Tensor<Real>{shape(0), nullptr, nullptr}};
      case Op::positions: return {positions()};
      case Op::rope:
        return {rotated(x(), *in_[2], *in_[3], rotation_of(op_)), rotated(*in_[1], *in_[2], *in_[3], rotation_of(op_))};
      case Op::rope_one: return {rotated(x(), *in_[1], *in_[2], rotation_of(op_))};
      case Op::attention: return {attend()};
      case Op::topk_route:
        return chosen(best_experts(
            x(), at(1), {number_at(op_, 0), number_at(op_, 1), number_at(op_, 2), number_at(op_, 3), op_.number}));
      case Op::scatter_topk: return {scattered_routes(x(), *in_[1], in_[2]->columns())};
      case Op::experts: return {run_experts()};
      case Op::causal_conv: return {causal_conv(x(), *in_[1], at(2), context_.state->first)};
      case Op::scan: return {scan(op_.text, in_, context_.state->first)};
      case Op::previous: return {previous(x(), context_.state->first)};
      case Op::sum: return {sum_over(x(), dim_at(op_, 0), number_at(op_, 1) != 0)};
      case Op::repeat_rows: return {tile_rows(x(), in_[1]->columns())};
      case Op::sum_groups: return {sum_over(viewed(x(), grouped_shape()), 0, false)};
      case Op::repeat_heads: return {repeat_each(x(), 1, number_at(op_, 0))};
      case Op::opaque: return {named_computation(op_.text, in_, op_.number, context_.state->first)};
      case Op::angles: return plain_angles();
      case Op::relative_bias: return {relative_bias(x(), context_.past)};
      default: return {};
    }
  }

  // [E T, H] as [E, T, H].
  Shape grouped_shape() const {
    const Shape& out = shape(0);
    return Shape{out[0] == 0 ? 0 : x().rows() / out[0], out[0], out[1]};
  }

  Values pieces() const {
    const int dim = dim_at(op_, 0);
    Values parts;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < op_.shapes.size(); ++i) {
      const std::int64_t end = begin + op_.shapes[i].at(context_.rank)[dim];
      parts.push_back(slice(x(), dim, {begin, end}));
      begin = end;
    }
    return parts;
  }

  Tensor<Real> positions_from(std::int64_t first, const Shape& ids) const {
    std::vector<std::int64_t> values(static_cast<std::size_t>(ids.numel()));
    std::iota(values.begin(), values.end(), first);
    return make_ids<Real>(ids, std::move(values));
  }

  Tensor<Real> positions() const { return positions_from(context_.past, shape(0)); }

  Values plain_angles() const {
    Rotary rotary;
    rotary.kind = "default";
    rotary.columns = number_at(op_, 0);
    rotary.theta = op_.number;
    const std::int64_t tokens = shape(0)[-2], first = context_.past + number_at(op_, 1);
    auto result = rotary_angles(rotary, positions_from(first, Shape{1, tokens}), first + tokens);
    return {std::move(result.cos), std::move(result.sin)};
  }

  // Keys or values so far with the new ones behind them, and room for more: a token's step does not move all of them.
  static void grow(Tensor<Real>& kept, std::int64_t length, const Tensor<Real>& fresh) {
    constexpr std::int64_t kMore = 64;
    const std::int64_t needed = length + fresh.shape[2];
    if (kept.empty() || kept.shape[2] < needed) {
      Tensor<Real> wider = make_tensor<Real>(fresh.shape.with(2, needed + needed / 4 + kMore));
      if (length > 0) put(slice(kept, 2, {0, length}), wider, 2, 0);
      kept = std::move(wider);
    }
    put(fresh, kept, 2, length);
  }

  // A bias that depends on the key only comes for the new keys; those of the earlier ones are kept.
  const Tensor<Real>* bias_of(std::int64_t keys) {
    const Tensor<Real>* bias = at(5);
    Tensor<Real>& kept = context_.state->third;
    if (bias == nullptr || bias->shape[2] != 1 || (bias->shape[-1] == keys && context_.past > 0)) return bias;
    kept = kept.empty() ? *bias : concat<Real>({&kept, bias}, 3);
    return &kept;
  }

  Tensor<Real> attend() {
    if (op_.text == kLightning)
      return lightning_attention(x(), *in_[1], *in_[2], number_at(op_, kLightningLayer),
                                 number_at(op_, kLightningLayers), context_.state->first);
    AttentionSettings settings = attention_settings(op_, x().shape[1], in_[1]->shape[1], shape(0)[2]);
    OperationState<Real>& state = *context_.state;
    grow(state.first, state.keys, *in_[1]);
    grow(state.second, state.keys, *in_[2]);
    settings.keys = state.keys += in_[1]->shape[2];
    return attention(x(), state.first, state.second, at(4), bias_of(settings.keys), settings);
  }

  Tensor<Real> run_experts() {
    return experts(x(), *in_[1], *in_[2], ExpertWeights<Real>{in_[3], in_[4], at(5), at(6)}, expert_layout(op_));
  }

  const RecordedOp& op_;
  const std::vector<const Tensor<Real>*>& in_;
  const OperationContext<Real>& context_;
};

bool is_known_operation(Op op) {
  switch (op) {
    case Op::call:
    case Op::for_each:
    case Op::parameter:
    case Op::constant_none:
    case Op::make_tuple:
    case Op::unpack:
    case Op::split_size:
    case Op::norm_free:
    case Op::lookup:
    case Op::each_expert:
    case Op::per_slice: return false;
    default: return true;
  }
}

std::optional<std::string> unknown_function(const RecordedOp& op) {
  if (op.op == Op::act && !is_known_activation(op.text)) return "the activation function \"" + op.text + "\"";
  if (op.op == Op::act && op.text == "xielu" && op.inputs.size() < 3) return "xielu without its slopes";
  if (op.op == Op::experts && !is_known_gate(op.text)) return "experts with the function \"" + op.text + "\"";
  if (op.op == Op::scan && !is_known_scan(op.text)) return "the recurrence \"" + op.text + "\"";
  if (op.op == Op::attention && !op.text.empty() && op.text != kLightning)
    return "attention of kind \"" + op.text + "\"";
  const bool lacks_count = op.text == "lightning_indexer" && op.number <= 0;
  if (op.op == Op::opaque && (lacks_count || !is_known_computation(op.text)))
    return "\"" + op.text + "\", which the description of this type leaves open";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> not_executable(const RecordedOp& op, const std::vector<Rotary>& rotaries) {
  if (op.primitive == Primitive::unsupported) return op.text;
  if (op.primitive == Primitive::rotary) {
    const Rotary& rotary = rotaries[static_cast<std::size_t>(op.ints[0])];
    if (!is_known_rotary(rotary.kind)) return "rotary embeddings of type \"" + rotary.kind + "\"";
  }
  if (op.primitive != Primitive::operation) return std::nullopt;
  if (auto unknown = unknown_function(op)) return unknown;
  if (!is_known_operation(op.op)) return "an operation of the description that has no kernel yet";
  return std::nullopt;
}

bool is_view(Op op) {
  switch (op) {
    case Op::view_heads:
    case Op::merge_heads:
    case Op::flatten_tokens:
    case Op::unflatten_tokens:
    case Op::reshape:
    case Op::unsqueeze:
    case Op::squeeze:
    case Op::split_rows: return true;
    default: return false;
  }
}

bool only_moves(const RecordedOp& op) {
  switch (op.primitive) {
    case Primitive::gather:
    case Primitive::gradient:
    case Primitive::zeros:
    case Primitive::own_chunk: return true;
    case Primitive::operation: break;
    default: return false;
  }
  if (is_view(op.op)) return true;
  switch (op.op) {
    case Op::cast:
    case Op::transpose:
    case Op::expand:
    case Op::slice:
    case Op::split:
    case Op::chunk:
    case Op::concat:
    case Op::causal_mask:
    case Op::repeat_rows:
    case Op::repeat_heads: return true;
    default: return false;
  }
}

bool keeps_state(const RecordedOp& op) {
  return op.primitive == Primitive::operation && (op.op == Op::attention || op.op == Op::causal_conv ||
                                                  op.op == Op::scan || op.op == Op::opaque || op.op == Op::previous);
}

template <class Real>
std::vector<Tensor<Real>> execute(const RecordedOp& op, const std::vector<const Tensor<Real>*>& inputs,
                                  const OperationContext<Real>& context) {
  return Execution<Real>(op, inputs, context).run();
}

template std::vector<Tensor<float>> execute(const RecordedOp&, const std::vector<const Tensor<float>*>&,
                                            const OperationContext<float>&);
template std::vector<Tensor<double>> execute(const RecordedOp&, const std::vector<const Tensor<double>*>&,
                                             const OperationContext<double>&);

}  // namespace tpsim::exec
