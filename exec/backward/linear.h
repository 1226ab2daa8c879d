// Gradients of matrix products and table look-ups.
#pragma once

#include <span>

#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
struct LinearGradients {
  Tensor<Real> x, weight, bias;  // bias: empty without one
};
// As `linear` takes them.
template <class Real>
LinearGradients<Real> linear_gradients(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                                       bool transposed, const Tensor<Real>& gradient);

template <class Real>
struct ProductGradients {
  Tensor<Real> a, b;
};
template <class Real>
ProductGradients<Real> bmm_gradients(const Tensor<Real>& a, const Tensor<Real>& b, const Tensor<Real>& gradient);

// Of the table.
template <class Real>
Tensor<Real> embedding_gradient(const Tensor<Real>& ids, const Shape& table, double scale, std::span<const Range> held,
                                const Tensor<Real>& gradient);

}  // namespace tpsim::exec
