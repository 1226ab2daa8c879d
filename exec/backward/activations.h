// Derivatives of the functions of kernels/elementwise.h, by name.
#pragma once

#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

// x's gradient, then those of the function's own trained tensors.
template <class Real>
std::vector<Tensor<Real>> activation_gradients(const Tensor<Real>& x, std::string_view name, double number,
                                               const std::vector<const Tensor<Real>*>& own,
                                               const Tensor<Real>& gradient);
bool has_derivative(std::string_view name);

}  // namespace tpsim::exec
