#include "exec/backward/norm.h"

#include <cmath>
#include <numeric>

#include "exec/backward/elementwise.h"

namespace tpsim::exec {
namespace {

// 1 / sqrt(variance + eps), or of the mean square.
template <class Real>
Real factor_of(const Real* x, std::int64_t n, const NormNumbers& numbers) {
  const Real count = static_cast<Real>(n);
  const Real mean = numbers.centred ? std::accumulate(x, x + n, Real(0)) / count : Real(0);
  Real square = 0;
  for (std::int64_t i = 0; i < n; ++i) square += (x[i] - mean) * (x[i] - mean) / count;
  return Real(1) / std::sqrt(square + static_cast<Real>(numbers.eps));
}

template <class Real>
Tensor<Real> input_gradient(const Tensor<Real>& x, const Tensor<Real>& y, const Tensor<Real>& of_y,
                            const NormNumbers& numbers) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const std::int64_t n = x.columns();
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real *g = of_y.data() + row * n, *out = y.data() + row * n;
    const Real factor = factor_of(x.data() + row * n, n, numbers), count = static_cast<Real>(n);
    const Real along = std::inner_product(g, g + n, out, Real(0)) / count;
    const Real mean = numbers.centred ? std::accumulate(g, g + n, Real(0)) / count : Real(0);
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = factor * (g[i] - mean - out[i] * along);
  }
  return result;
}

}  // namespace

template <class Real>
NormGradients<Real> norm_gradients(const Tensor<Real>& x, const Tensor<Real>* weight, const Tensor<Real>* bias,
                                   const NormNumbers& numbers, const Tensor<Real>& gradient) {
  const Tensor<Real> y = norm<Real>(x, nullptr, nullptr, numbers, x.shape);
  NormGradients<Real> result;
  if (bias != nullptr) result.bias = summed_to(gradient, bias->shape);
  if (weight == nullptr) {
    result.x = input_gradient(x, y, summed_to(gradient, x.shape), numbers);
    return result;
  }
  auto parts =
      binary_gradients(Arithmetic::mul, y, numbers.offset == 0 ? *weight : shifted(*weight, numbers.offset), gradient);
  result.weight = std::move(parts.b);
  result.x = input_gradient(x, y, parts.a, numbers);
  return result;
}

template NormGradients<float> norm_gradients(const Tensor<float>&, const Tensor<float>*, const Tensor<float>*,
                                             const NormNumbers&, const Tensor<float>&);
template NormGradients<double> norm_gradients(const Tensor<double>&, const Tensor<double>*, const Tensor<double>*,
                                              const NormNumbers&, const Tensor<double>&);

}  // namespace tpsim::exec
