// Gradients of norms over the last dimension.
#pragma once

#include "exec/kernels/elementwise.h"
#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
struct NormGradients {
  Tensor<Real> x, weight, bias;  // empty where there is none
};
template <class Real>
NormGradients<Real> norm_gradients(const Tensor<Real>& x, const Tensor<Real>* weight, const Tensor<Real>* bias,
                                   const NormNumbers& numbers, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
