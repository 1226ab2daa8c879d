// Gradients of arithmetic with broadcasting, softmax and division by the sum.
#pragma once

#include "exec/kernels/elementwise.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// Sums over the dimensions along which a tensor of `shape` was broadcast.
template <class Real>
Tensor<Real> summed_to(const Tensor<Real>& gradient, const Shape& shape);

template <class Real>
struct BinaryGradients {
  Tensor<Real> a, b;
};
template <class Real>
BinaryGradients<Real> binary_gradients(Arithmetic op, const Tensor<Real>& a, const Tensor<Real>& b,
                                       const Tensor<Real>& gradient);

// `y`: what the forward gave.
template <class Real>
Tensor<Real> softmax_gradient(const Tensor<Real>& y, const Tensor<Real>& gradient);
template <class Real>
Tensor<Real> normalised_gradient(const Tensor<Real>& x, const Tensor<Real>& y, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
