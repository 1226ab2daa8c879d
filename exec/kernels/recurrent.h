// Short convolutions and recurrences over the sequence, with the state that one call leaves to the next.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

// x [B, C, S], weight [C, 1, K], bias [C] or null: each channel over its own last K positions. `state` [B, C, K - 1]:
// the positions before; empty = zeros.
template <class Real>
Tensor<Real> causal_conv(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                         Tensor<Real>& state);

// x [B, S, H] moved on by one position; `state` [B, 1, H]: the last one before, empty = zeros.
template <class Real>
Tensor<Real> previous(const Tensor<Real>& x, Tensor<Real>& state);
// What the state of a head is multiplied by from position to position.
double lightning_decay(std::int64_t head, std::int64_t heads, std::int64_t layer, std::int64_t layers);
// Linear attention with a fixed decay per head and layer (MiniMax-01, arXiv 2501.08313), q, k, v [B, n, S, d] -> [B, S,
// n, d]. `state` [B, n, d, d].
template <class Real>
Tensor<Real> lightning_attention(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                 std::int64_t layer, std::int64_t layers, Tensor<Real>& state);

bool is_known_scan(std::string_view kind);
// Inputs as docs/architecture.md lists them by kind. `state`: h of every lane; empty = zeros.
template <class Real>
Tensor<Real> scan(std::string_view kind, const std::vector<const Tensor<Real>*>& inputs, Tensor<Real>& state);

}  // namespace tpsim::exec
