// Gradients of what moves values.
#pragma once

#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

// Zeros of `shape` with the gradient at `range` of a dimension.
template <class Real>
Tensor<Real> slice_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim, Range range);
// Of each part of a concatenation.
template <class Real>
std::vector<Tensor<Real>> concat_gradients(const Tensor<Real>& gradient, const std::vector<const Tensor<Real>*>& parts,
                                           int dim);
// Sums of n indices of `dim` each that lie behind one another: of repeat_each; `shape`: before it.
template <class Real>
Tensor<Real> repeat_each_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim, std::int64_t n);
// Of a sum over `dim` of a tensor of this shape.
template <class Real>
Tensor<Real> sum_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim);
template <class Real>
Tensor<Real> relative_bias_gradient(const Tensor<Real>& gradient, const Shape& shape);
// Of `previous`: one position back.
template <class Real>
Tensor<Real> previous_gradient(const Tensor<Real>& gradient);

}  // namespace tpsim::exec
