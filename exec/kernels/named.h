// Computations that single types have and that are not made of other operations: the names of `opaque` that can be
// executed.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

bool is_known_computation(std::string_view name);

template <class Real>
Real mean_square(const Real* x, std::int64_t n) {
  Real sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum / static_cast<Real>(n);
}
// What match_magnitude takes for a's mean square at least.
template <class Real>
constexpr Real kLeastMeanSquare = Real(1e-5);
// z with that share of a normal distribution below it.
double normal_quantile(double share);

// `number`: what the description gives. `state`: kept from step to step. The first input is the one that the result is
// shaped as, with one exception: lightning_indexer gives [B, 1, S, keys], 0 where chosen, else minus infinity.
//   match_magnitude        a, b: a scaled to b's root mean square over the last dimension
//   per_expert_scale       like, scale [E], indices: the scales of the indices
//   share_of_zero_experts  like [T, 1], weights, indices [T, k]; number: experts that compute. Sum of the others' weights
//   mean_of_streams        like, x: mean over the first dimension
//   gaussian_topk          x; number: share of values that the threshold mean + z * deviation cuts off
//   altup_predict          x [P, B, S, H], coefficients [B, S, P * P]
//   altup_correct          predictions [P, B, S, H], y [B, S, H], coefficients [B, S, P]; number: active stream
//   grouped_convolution    x [B, C, S], weight [C, C / groups, K], bias [C], start [C]: what stands before the sequence
//   lightning_indexer      mask, q [B, H, S, D], k [B, 1, S, D], weights [B, S, H]; number: keys chosen
template <class Real>
Tensor<Real> named_computation(std::string_view name, const std::vector<const Tensor<Real>*>& inputs, double number,
                               Tensor<Real>& state);

}  // namespace tpsim::exec
