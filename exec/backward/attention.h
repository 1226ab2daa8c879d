// Gradients of attention over the keys of one pass.
#pragma once

#include "exec/kernels/attention.h"
#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
struct AttentionGradients {
  Tensor<Real> q, k, v, sinks, bias;  // sinks, bias: empty where there are none
};
template <class Real>
AttentionGradients<Real> attention_gradients(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                             const Tensor<Real>* sinks, const Tensor<Real>* bias,
                                             const AttentionSettings& settings, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
