// What an expert does between its two products, with its derivative.
#pragma once

#include "exec/kernels/experts.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// x [rows, 2 I], or [rows, I] without a gate -> [rows, I].
template <class Real>
Tensor<Real> gate_output(const Tensor<Real>& x, const ExpertLayout& layout);
template <class Real>
Tensor<Real> gate_gradient(const Tensor<Real>& x, const ExpertLayout& layout, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
