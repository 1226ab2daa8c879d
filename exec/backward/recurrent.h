// Gradients of short convolutions, linear attention and recurrences over one pass from its first position on.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
struct ConvGradients {
  Tensor<Real> x, weight, bias;  // bias: empty without one
};
template <class Real>
ConvGradients<Real> causal_conv_gradients(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                                          const Tensor<Real>& gradient);

// Of q, k and v.
template <class Real>
std::vector<Tensor<Real>> lightning_gradients(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                              std::int64_t layer, std::int64_t layers, const Tensor<Real>& gradient);

bool has_scan_gradient(std::string_view kind);
// Of every input of `scan`, in order; `output`: what the forward pass gave.
template <class Real>
std::vector<Tensor<Real>> scan_gradients(std::string_view kind, const std::vector<const Tensor<Real>*>& inputs,
                                         const Tensor<Real>& output, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
