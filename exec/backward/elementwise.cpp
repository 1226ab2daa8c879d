#include "exec/backward/elementwise.h"

#include <numeric>

#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {

template <class Real>
Tensor<Real> summed_to(const Tensor<Real>& gradient, const Shape& shape) {
  Tensor<Real> sum = gradient;
  while (sum.shape.rank() > shape.rank()) sum = sum_over(sum, 0, false);
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] == 1 && sum.shape[i] != 1) sum = sum_over(sum, i, true);
  return sum;
}

template <class Real>
BinaryGradients<Real> binary_gradients(Arithmetic op, const Tensor<Real>& a, const Tensor<Real>& b,
                                       const Tensor<Real>& gradient) {
  const Shape& out = gradient.shape;
  const auto with = [&](Arithmetic how, const Tensor<Real>& x, const Tensor<Real>& y) {
    return binary(how, x, y, out);
  };
  switch (op) {
    case Arithmetic::add: return {summed_to(gradient, a.shape), summed_to(gradient, b.shape)};
    case Arithmetic::sub: return {summed_to(gradient, a.shape), summed_to(scaled(gradient, -1), b.shape)};
    case Arithmetic::mul:
      return {summed_to(with(Arithmetic::mul, gradient, b), a.shape),
              summed_to(with(Arithmetic::mul, gradient, a), b.shape)};
    case Arithmetic::div: break;
  }
  const Tensor<Real> of_a = with(Arithmetic::div, gradient, b);
  const Tensor<Real> of_b = with(Arithmetic::div, with(Arithmetic::mul, of_a, a), b);
  return {summed_to(of_a, a.shape), summed_to(scaled(of_b, -1), b.shape)};
}

template <class Real>
Tensor<Real> softmax_gradient(const Tensor<Real>& y, const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(y.shape);
  const std::int64_t n = y.columns();
  for (std::int64_t row = 0; row < y.rows(); ++row) {
    const Real *p = y.data() + row * n, *g = gradient.data() + row * n;
    const Real mean = std::inner_product(p, p + n, g, Real(0));
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = p[i] * (g[i] - mean);
  }
  return result;
}

template <class Real>
Tensor<Real> normalised_gradient(const Tensor<Real>& x, const Tensor<Real>& y, const Tensor<Real>& gradient) {
  Tensor<Real> result = make_tensor<Real>(y.shape);
  const std::int64_t n = y.columns();
  for (std::int64_t row = 0; row < y.rows(); ++row) {
    const Real *from = x.data() + row * n, *g = gradient.data() + row * n;
    const Real sum = std::accumulate(from, from + n, Real(0));
    const Real mean = std::inner_product(g, g + n, y.data() + row * n, Real(0));
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = (g[i] - mean) / sum;
  }
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                                         \
  template Tensor<Real> summed_to(const Tensor<Real>&, const Shape&);                                   \
  template BinaryGradients<Real> binary_gradients(Arithmetic, const Tensor<Real>&, const Tensor<Real>&, \
                                                  const Tensor<Real>&);                                 \
  template Tensor<Real> softmax_gradient(const Tensor<Real>&, const Tensor<Real>&);                     \
  template Tensor<Real> normalised_gradient(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
