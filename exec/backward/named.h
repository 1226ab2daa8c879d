// Gradients of the computations that single types have (kernels/named.h).
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

bool has_named_gradient(std::string_view name);

// One per input, in order; empty = none.
template <class Real>
std::vector<Tensor<Real>> named_gradients(std::string_view name, const std::vector<const Tensor<Real>*>& inputs,
                                          double number, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
