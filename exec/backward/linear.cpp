#include "exec/backward/linear.h"

#include <numeric>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {
namespace {

template <class Real>
Tensor<Real> bias_gradient(const Tensor<Real>& bias, const Tensor<Real>& gradient) {
  Tensor<Real> columns = sum_over(gradient, 0, false);
  if (bias.numel() == 1) columns = sum_over(columns, 0, true);
  return viewed(columns, bias.shape);
}

}  // namespace

template <class Real>
LinearGradients<Real> linear_gradients(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                                       bool transposed, const Tensor<Real>& gradient) {
  const Tensor<Real> rows = viewed(x, Shape{x.rows(), x.columns()});
  const Tensor<Real> out = viewed(gradient, Shape{gradient.rows(), gradient.columns()});
  LinearGradients<Real> result;
  result.x = viewed(linear<Real>(out, weight, nullptr, !transposed), x.shape);
  result.weight = transposed ? linear<Real>(transpose(rows, 0, 1), out, nullptr, true)
                             : linear<Real>(transpose(out, 0, 1), rows, nullptr, true);
  if (bias != nullptr) result.bias = bias_gradient(*bias, out);
  return result;
}

template <class Real>
ProductGradients<Real> bmm_gradients(const Tensor<Real>& a, const Tensor<Real>& b, const Tensor<Real>& gradient) {
  return {bmm(gradient, transpose(b, 1, 2)), bmm(transpose(a, 1, 2), gradient)};
}

template <class Real>
Tensor<Real> embedding_gradient(const Tensor<Real>& ids, const Shape& table, double scale, std::span<const Range> held,
                                const Tensor<Real>& gradient) {
  // The look-up itself says which row an id is: the rows counted from 1, 0 = the table does not hold the id.
  Tensor<Real> numbers = make_tensor<Real>(Shape{table[0], 1});
  std::iota(numbers.real->begin(), numbers.real->end(), Real(1));
  const Tensor<Real> rows = embedding(ids, numbers, 1, held);
  Tensor<Real> result = make_tensor<Real>(table);
  const std::int64_t width = table[1];
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    const auto row = static_cast<std::int64_t>(rows.data()[i]) - 1;
    if (row < 0) continue;
    for (std::int64_t c = 0; c < width; ++c)
      result.data()[row * width + c] += gradient.data()[i * width + c] * static_cast<Real>(scale);
  }
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                                                        \
  template LinearGradients<Real> linear_gradients(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>*, bool, \
                                                  const Tensor<Real>&);                                                \
  template ProductGradients<Real> bmm_gradients(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&);        \
  template Tensor<Real> embedding_gradient(const Tensor<Real>&, const Shape&, double, std::span<const Range>,          \
                                           const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
