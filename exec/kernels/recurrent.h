// Short convolutions and recurrences over the sequence, with the state that one call leaves to the next.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

// x [B, C, S], weight [C, 1, K], bias [C] or null: each channel over its own last K positions. `state` [B, C, K - 1]: the
// positions before; empty = zeros.
template <class Real>
Tensor<Real> causal_conv(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias, Tensor<Real>& state);

bool is_known_scan(std::string_view kind);
// Inputs as docs/architecture.md lists them by kind. `state`: h of every lane; empty = zeros.
template <class Real>
Tensor<Real> scan(std::string_view kind, const std::vector<const Tensor<Real>*>& inputs, Tensor<Real>& state);

}  // namespace tpsim::exec
