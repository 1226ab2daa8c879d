#include "exec/backward/gradients.h"

#include <span>
#include <utility>

#include "exec/backward/activations.h"
#include "exec/backward/attention.h"
#include "exec/backward/elementwise.h"
#include "exec/backward/experts.h"
#include "exec/backward/linear.h"
#include "exec/backward/named.h"
#include "exec/backward/norm.h"
#include "exec/backward/recurrent.h"
#include "exec/backward/rope.h"
#include "exec/backward/shapes.h"
#include "exec/kernels/shape_kernels.h"
#include "exec/operation_settings.h"
#include "exec/operations.h"

namespace tpsim::exec {
namespace {

template <class Real>
class Backward {
public:
  using Values = std::vector<Tensor<Real>>;

  explicit Backward(const BackwardCall<Real>& call)
      : op_(call.op), in_(call.inputs), out_(call.outputs), of_(call.gradients), rank_(call.rank) {}

  Values run() {
    Values result = op_.primitive == Primitive::operation ? operation() : primitive();
    result.resize(in_.size());
    return result;
  }

private:
  const Tensor<Real>& x() const { return *in_[0]; }
  const Tensor<Real>& g() const { return *of_[0]; }
  const Tensor<Real>* at(std::size_t i) const { return i < in_.size() ? in_[i] : nullptr; }

  std::span<const Range> held_rows() const {
    if (op_.ranges.empty()) return {};
    return op_.ranges[static_cast<std::size_t>(rank_)];
  }

  Range own_range() const { return op_.ranges[static_cast<std::size_t>(rank_)].front(); }

  Values primitive() {
    switch (op_.primitive) {
      case Primitive::embedding: return {{}, embedding_gradient(x(), in_[1]->shape, op_.number, held_rows(), g())};
      case Primitive::norm: {
        auto r = norm_gradients(x(), at(1), at(2), norm_numbers(op_), g());
        return {std::move(r.x), std::move(r.weight), std::move(r.bias)};
      }
      case Primitive::own_chunk: {
        const int dim = dim_at(op_, 0);
        return {slice_gradient(g(), x().shape, dim, chunk_range(x().shape[dim], dim_at(op_, 1), rank_))};
      }
      case Primitive::own_routes:
        return {own_routes_gradient(x().shape, *out_[1], op_.ints[0] / op_.ints[1], rank_, op_.ints[2] != 0, g())};
      case Primitive::expert_rows: {
        auto r = expert_rows_gradients(x().shape, *in_[1], op_.ints[0], of_[0], of_[1]);
        return {std::move(r.x), {}, std::move(r.weights)};
      }
      case Primitive::add_expert_rows: return added_rows();
      default: return {};
    }
  }

  Values added_rows() {
    Values result{{}, added_rows_gradient(g(), *in_[2], op_.ints[0])};
    if (x().columns() == g().columns()) result[0] = g();
    return result;
  }

  Values operation() {
    if (is_view(op_.op)) return {viewed(g(), x().shape)};
    switch (op_.op) {
      case Op::cast:
      case Op::add_number: return {g()};
      case Op::transpose: return {transpose(g(), dim_at(op_, 0), dim_at(op_, 1))};
      case Op::expand: return {summed_to(g(), x().shape)};
      case Op::slice: return {slice_gradient(g(), x().shape, dim_at(op_, 0), own_range())};
      case Op::split:
      case Op::chunk: return {joined()};
      case Op::concat: return concat_gradients(g(), in_, concat_dim());
      case Op::add:
      case Op::sub:
      case Op::mul:
      case Op::div: return both(binary_gradients(arithmetic_of(op_.op), x(), *in_[1], g()));
      case Op::scale: return {scaled(g(), op_.number)};
      case Op::act: return activation_gradients(x(), op_.text, op_.number, {in_.begin() + 1, in_.end()}, g());
      case Op::softmax: return {softmax_gradient(*out_[0], g())};
      case Op::normalize: return {normalised_gradient(x(), *out_[0], g())};
      case Op::linear: {
        auto r = linear_gradients(x(), *in_[1], at(2), number_at(op_, 0) != 0, g());
        return {std::move(r.x), std::move(r.weight), std::move(r.bias)};
      }
      case Op::bmm: return both(bmm_gradients(x(), *in_[1], g()));
      case Op::rope: return {turned_back(of_[0], 2), turned_back(of_[1], 2)};
      case Op::rope_one: return {turned_back(of_[0], 1)};
      case Op::attention: return attention_inputs();
      case Op::topk_route:
        return {op_.number > 0 ? mixed_experts_gradient(x(), *out_[1], op_.number, g())
                               : best_experts_gradient(x().shape, *out_[1], g())};
      case Op::scatter_topk: return {scattered_routes_gradient(*in_[1], g())};
      case Op::experts: return expert_inputs();
      case Op::causal_conv: {
        auto r = causal_conv_gradients(x(), *in_[1], at(2), g());
        return {std::move(r.x), std::move(r.weight), std::move(r.bias)};
      }
      case Op::scan: return scan_gradients(op_.text, in_, *out_[0], g());
      case Op::opaque: return named_gradients(op_.text, in_, op_.number, g());
      case Op::previous: return {previous_gradient(g())};
      case Op::sum: return {sum_gradient(g(), x().shape, dim_at(op_, 0))};
      case Op::repeat_rows: return {repeated_rows()};
      case Op::sum_groups: return {tile_rows(g(), g().rows() == 0 ? 0 : x().rows() / g().rows())};
      case Op::repeat_heads: return {repeat_each_gradient(g(), x().shape, 1, number_at(op_, 0))};
      case Op::relative_bias: return {relative_bias_gradient(g(), x().shape)};
      default: return {};
    }
  }

  template <class Pair>
  static Values both(Pair pair) {
    return {std::move(pair.a), std::move(pair.b)};
  }

  int concat_dim() const {
    const int dim = dim_at(op_, 0);
    return dim < 0 ? dim + x().shape.rank() : dim;
  }

  // Pieces that no gradient reaches count as zeros.
  Tensor<Real> joined() const {
    Values zeros(out_.size());
    std::vector<const Tensor<Real>*> parts;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (of_[i] == nullptr) zeros[i] = make_tensor<Real>(out_[i]->shape);
      parts.push_back(of_[i] == nullptr ? &zeros[i] : of_[i]);
    }
    return concat(parts, dim_at(op_, 0));
  }

  Tensor<Real> turned_back(const Tensor<Real>* gradient, std::size_t angles) const {
    return gradient == nullptr ? Tensor<Real>{}
                               : rotated_gradient(*gradient, *in_[angles], *in_[angles + 1], rotation_of(op_));
  }

  Values attention_inputs() {
    if (op_.text == kLightning)
      return lightning_gradients(x(), *in_[1], *in_[2], number_at(op_, kLightningLayer),
                                 number_at(op_, kLightningLayers), g());
    const auto settings = attention_settings(op_, x().shape[1], in_[1]->shape[1], out_[0]->shape[2]);
    auto r = attention_gradients(x(), *in_[1], *in_[2], at(4), at(5), settings, g());
    return {std::move(r.q), std::move(r.k), std::move(r.v), {}, std::move(r.sinks), std::move(r.bias)};
  }

  Values expert_inputs() {
    const ExpertWeights<Real> weights{in_[3], in_[4], at(5), at(6)};
    auto r = experts_gradients(x(), *in_[1], *in_[2], weights, expert_layout(op_), g());
    return {std::move(r.x),        {},
            std::move(r.weights),  std::move(r.gate_up),
            std::move(r.down),     std::move(r.gate_up_bias),
            std::move(r.down_bias)};
  }

  // The rows came n times, one copy behind the other.
  Tensor<Real> repeated_rows() const {
    Shape shape{g().shape[0] / std::max<std::int64_t>(1, x().shape[0])};
    for (const std::int64_t extent : x().shape) shape.push_back(extent);
    return sum_over(viewed(g(), shape), 0, false);
  }

  const RecordedOp& op_;
  const std::vector<const Tensor<Real>*>&in_, &out_, &of_;
  int rank_;
};

}  // namespace

std::optional<std::string> without_backward(const RecordedOp& op) {
  if (!op.gradients || op.primitive != Primitive::operation) return std::nullopt;
  if (op.op == Op::act && !has_derivative(op.text)) return "the function \"" + op.text + "\"";
  if (op.op == Op::scan && !has_scan_gradient(op.text)) return "the recurrence \"" + op.text + "\"";
  if (op.op == Op::opaque && !has_named_gradient(op.text)) return "\"" + op.text + "\"";
  return std::nullopt;
}

template <class Real>
std::vector<Tensor<Real>> gradients_of(const BackwardCall<Real>& call) {
  return Backward<Real>(call).run();
}

template std::vector<Tensor<float>> gradients_of(const BackwardCall<float>&);
template std::vector<Tensor<double>> gradients_of(const BackwardCall<double>&);

}  // namespace tpsim::exec
