#include "exec/backward/experts.h"

#include <algorithm>
#include <numeric>

#include "exec/backward/elementwise.h"
#include "exec/backward/expert_gate.h"
#include "exec/backward/linear.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {

template <class Real>
Tensor<Real> best_experts_gradient(const Shape& scores, const Tensor<Real>& indices, const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(scores);
  const std::int64_t k = indices.columns();
  for (std::int64_t i = 0; i < indices.numel(); ++i)
    result.data()[i / k * scores[-1] + indices.ids()[i]] += gradient.data()[i];
  return result;
}

template <class Real>
Tensor<Real> mixed_experts_gradient(const Tensor<Real>& scores, const Tensor<Real>& indices, double jitter,
                                    const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(scores.shape);
  const std::int64_t k = indices.columns(), n = scores.columns();
  for (std::int64_t row = 0; row < scores.rows(); ++row) {
    const Real* s = scores.data() + row * n;
    std::vector<std::int64_t> left(static_cast<std::size_t>(n));
    std::iota(left.begin(), left.end(), 0);
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t best = indices.ids()[row * k + i];
      const Real weight = mixed_weight(s, left, best, jitter), g = gradient.data()[row * k + i];
      result.data()[row * n + best] += g * weight;
      for (const std::int64_t e : left)
        if (is_near(s, e, best, jitter)) result.data()[row * n + e] -= g * weight * weight * std::exp(s[e] - s[best]);
      left.erase(std::find(left.begin(), left.end(), best));
    }
  }
  return result;
}

template <class Real>
Tensor<Real> scattered_routes_gradient(const Tensor<Real>& indices, const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(indices.shape);
  const std::int64_t k = indices.columns();
  for (std::int64_t i = 0; i < indices.numel(); ++i)
    result.data()[i] = gradient.data()[i / k * gradient.columns() + indices.ids()[i]];
  return result;
}

template <class Real>
Tensor<Real> own_routes_gradient(const Shape& weights, const Tensor<Real>& own, std::int64_t held, int rank, bool dense,
                                 const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(weights);
  const std::int64_t all = weights[-1];
  if (dense)
    for (std::int64_t row = 0; row < result.rows(); ++row)
      std::copy_n(gradient.data() + row * held, held, result.data() + row * all + rank * held);
  else
    for (std::int64_t i = 0; i < own.numel(); ++i)
      if (own.ids()[i] < held) result.data()[i] = gradient.data()[i];
  return result;
}

template <class Real>
ExpertRowGradients<Real> expert_rows_gradients(const Shape& x, const Tensor<Real>& indices, std::int64_t expert,
                                               const Tensor<Real>* rows, const Tensor<Real>* row_weights) {
  ExpertRowGradients<Real> result{make_tensor<Real>(x), make_tensor<Real>(indices.shape)};
  const std::int64_t k = indices.columns(), width = x[-1];
  std::int64_t row = 0;
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    if (indices.ids()[i] != expert) continue;
    if (row_weights != nullptr) result.weights.data()[i] = row_weights->data()[row];
    for (std::int64_t c = 0; rows != nullptr && c < width; ++c)
      result.x.data()[i / k * width + c] += rows->data()[row * width + c];
    ++row;
  }
  return result;
}

template <class Real>
Tensor<Real> added_rows_gradient(const Tensor<Real>& gradient, const Tensor<Real>& indices, std::int64_t expert) {
  return expert_rows(gradient, indices, make_tensor<Real>(indices.shape), expert).rows;
}

namespace {

template <class Real>
Tensor<Real> of_expert(const Tensor<Real>& stacked, std::int64_t e) {
  Shape shape;
  for (int i = 1; i < stacked.shape.rank(); ++i) shape.push_back(stacked.shape[i]);
  return viewed(slice(stacked, 0, {e, e + 1}), shape);
}

template <class Real>
void put(Tensor<Real>& stacked, std::int64_t e, const Tensor<Real>& one) {
  std::copy_n(one.data(), one.numel(), stacked.data() + e * one.numel());
}

template <class Real>
void add_to(Tensor<Real>& sum, const Tensor<Real>& x) {
  for (std::int64_t i = 0; i < x.numel(); ++i) sum.data()[i] += x.data()[i];
}

template <class Real>
Tensor<Real> zeros_like(const Tensor<Real>* x) {
  return x == nullptr ? Tensor<Real>{} : make_tensor<Real>(x->shape);
}

template <class Real>
class ExpertsBackward {
public:
  ExpertsBackward(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& chosen,
                  const ExpertWeights<Real>& w, const ExpertLayout& layout, const Tensor<Real>& gradient)
      : x_(x), indices_(indices), chosen_(chosen), w_(w), layout_(layout), gradient_(gradient) {
    result_.x = zeros_like(&x);
    result_.weights = make_tensor<Real>(indices.shape);
    result_.gate_up = zeros_like(w.gate_up);
    result_.down = zeros_like(w.down);
    result_.gate_up_bias = zeros_like(w.gate_up_bias);
    result_.down_bias = zeros_like(w.down_bias);
  }

  ExpertsGradients<Real> run() {
    for (std::int64_t e = 0; e < w_.gate_up->shape[0]; ++e) expert(e);
    return std::move(result_);
  }

private:
  void expert(std::int64_t e) {
    const ExpertRows<Real> routed = expert_rows(x_, indices_, chosen_, e);
    if (routed.rows.rows() == 0) return;
    const Tensor<Real> gate_up = of_expert(*w_.gate_up, e), down = of_expert(*w_.down, e);
    const Tensor<Real> gate_up_bias = w_.gate_up_bias == nullptr ? Tensor<Real>{} : of_expert(*w_.gate_up_bias, e);
    const Tensor<Real> down_bias = w_.down_bias == nullptr ? Tensor<Real>{} : of_expert(*w_.down_bias, e);
    const auto bias = [](const Tensor<Real>& b) { return b.empty() ? nullptr : &b; };
    const Tensor<Real> before = linear(routed.rows, gate_up, bias(gate_up_bias), layout_.transposed);
    const Tensor<Real> inner = gate_output(before, layout_);
    const Tensor<Real> out = linear(inner, down, bias(down_bias), layout_.transposed);
    const Tensor<Real> rows = added_rows_gradient(gradient_, indices_, e);
    const auto weighted = binary_gradients(Arithmetic::mul, out, routed.weights, rows);
    const auto of_down = linear_gradients(inner, down, bias(down_bias), layout_.transposed, weighted.a);
    const auto of_gate_up = linear_gradients(routed.rows, gate_up, bias(gate_up_bias), layout_.transposed,
                                             gate_gradient(before, layout_, of_down.x));
    put(result_.down, e, of_down.weight);
    put(result_.gate_up, e, of_gate_up.weight);
    if (w_.down_bias != nullptr) put(result_.down_bias, e, of_down.bias);
    if (w_.gate_up_bias != nullptr) put(result_.gate_up_bias, e, of_gate_up.bias);
    const auto back = expert_rows_gradients(x_.shape, indices_, e, &of_gate_up.x, &weighted.b);
    add_to(result_.x, back.x);
    add_to(result_.weights, back.weights);
  }

  const Tensor<Real>&x_, &indices_, &chosen_;
  const ExpertWeights<Real>& w_;
  const ExpertLayout& layout_;
  const Tensor<Real>& gradient_;
  ExpertsGradients<Real> result_;
};

}  // namespace

template <class Real>
ExpertsGradients<Real> experts_gradients(const Tensor<Real>& x, const Tensor<Real>& indices,
                                         const Tensor<Real>& weights, const ExpertWeights<Real>& w,
                                         const ExpertLayout& layout, const Tensor<Real>& gradient) {
  if (!layout.dense) return ExpertsBackward<Real>(x, indices, weights, w, layout, gradient).run();
  // Columns of all experts: an index beyond them has no weight.
  Tensor<Real> chosen = make_tensor<Real>(indices.shape);
  const std::int64_t k = indices.columns(), columns = weights.columns();
  for (std::int64_t i = 0; i < indices.numel(); ++i)
    if (indices.ids()[i] < columns) chosen.data()[i] = weights.data()[i / k * columns + indices.ids()[i]];
  auto result = ExpertsBackward<Real>(x, indices, chosen, w, layout, gradient).run();
  Tensor<Real> of_columns = make_tensor<Real>(weights.shape);
  for (std::int64_t i = 0; i < indices.numel(); ++i)
    if (indices.ids()[i] < columns) of_columns.data()[i / k * columns + indices.ids()[i]] += result.weights.data()[i];
  result.weights = std::move(of_columns);
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                                                        \
  template Tensor<Real> best_experts_gradient(const Shape&, const Tensor<Real>&, const Tensor<Real>&);                 \
  template Tensor<Real> mixed_experts_gradient(const Tensor<Real>&, const Tensor<Real>&, double, const Tensor<Real>&); \
  template Tensor<Real> scattered_routes_gradient(const Tensor<Real>&, const Tensor<Real>&);                           \
  template Tensor<Real> own_routes_gradient(const Shape&, const Tensor<Real>&, std::int64_t, int, bool,                \
                                            const Tensor<Real>&);                                                      \
  template ExpertRowGradients<Real> expert_rows_gradients(const Shape&, const Tensor<Real>&, std::int64_t,             \
                                                          const Tensor<Real>*, const Tensor<Real>*);                   \
  template Tensor<Real> added_rows_gradient(const Tensor<Real>&, const Tensor<Real>&, std::int64_t);                   \
  template ExpertsGradients<Real> experts_gradients(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&,     \
                                                    const ExpertWeights<Real>&, const ExpertLayout&,                   \
                                                    const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
