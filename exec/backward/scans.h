// The single recurrences' gradients, for recurrent.cpp.
#pragma once

#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

// Where a lane of a head finds its numbers in an input that has one lane for several.
template <class Real>
std::int64_t lane_at(const Tensor<Real>& x, std::int64_t batch, std::int64_t position, std::int64_t lane,
                     std::int64_t lanes) {
  const std::int64_t own = x.shape[2], per = lanes / own;
  const std::int64_t width = x.shape.rank() > 3 ? x.shape[3] : 1;
  return ((batch * x.shape[1] + position) * own + lane / per) * width;
}

// "ssm": x, dt, a, b, c. "gated_delta": v, q, k, g, beta. As kernels/recurrent.cpp computes them.
template <class Real>
std::vector<Tensor<Real>> selective_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                              const Tensor<Real>& gradient);
template <class Real>
std::vector<Tensor<Real>> delta_rule_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                               const Tensor<Real>& gradient);
// "wkv": v, k, decay, first.
template <class Real>
std::vector<Tensor<Real>> weighted_keys_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                                  const Tensor<Real>& gradient);
// "rg_lru": x, a; `output`: what the forward pass gave.
template <class Real>
std::vector<Tensor<Real>> gated_lru_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                              const Tensor<Real>& output, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
