// The gradient of a rotation is the rotation backwards.
#pragma once

#include "exec/kernels/rope.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// Of x, by the gradient of what `rotated` gives. Angles have none.
template <class Real>
Tensor<Real> rotated_gradient(const Tensor<Real>& gradient, const Tensor<Real>& cos, const Tensor<Real>& sin,
                              const Rotation& rotation);

}  // namespace tpsim::exec
