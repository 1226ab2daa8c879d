// Computations that single types have and that are not made of other operations: the names of `opaque` that can be
// executed.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

bool is_known_computation(std::string_view name);

// `out`: the recorded shape. `number`: what the description gives. `state`: kept from step to step. `past`: positions
// before.
//   match_magnitude   a, b: a scaled to b's root mean square over the last dimension
//   per_expert_scale  like, scale [E], indices: the scales of the indices
//   share_of_zero_experts  like [T, 1], weights, indices [T, k]; number: experts that compute. Sum of the others'
//   weights mean_of_streams   like, x: mean over the first dimension gaussian_topk     x; number: share of values that
//   the threshold mean + z * deviation cuts off altup_predict     x [P, B, S, H], coefficients [B, S, P * P]
//   altup_correct     predictions [P, B, S, H], y [B, S, H], coefficients [B, S, P]; number: active stream
//   lightning_indexer mask, q [B, H, S, D], k [B, 1, S, D], weights [B, S, H]; number: keys chosen -> [B, 1, S, keys],
//   0 where
//                     chosen, else minus infinity
template <class Real>
Tensor<Real> named_computation(std::string_view name, const std::vector<const Tensor<Real>*>& inputs, double number,
                               Tensor<Real>& state);

}  // namespace tpsim::exec
