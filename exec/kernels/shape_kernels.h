// Kernels that move values: transposition, slices, concatenation, repetition, sums over a dimension.
#pragma once

#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

template <class Real>
Tensor<Real> transpose(const Tensor<Real>& x, int a, int b);
template <class Real>
Tensor<Real> slice(const Tensor<Real>& x, int dim, Range range);
template <class Real>
Tensor<Real> concat(const std::vector<const Tensor<Real>*>& parts, int dim);
// Extents of 1 grow to those of `shape`.
template <class Real>
Tensor<Real> expand(const Tensor<Real>& x, const Shape& shape);
// Each index of `dim` n times, one behind the other.
template <class Real>
Tensor<Real> repeat_each(const Tensor<Real>& x, int dim, std::int64_t n);
// The whole tensor n times along dim 0.
template <class Real>
Tensor<Real> tile_rows(const Tensor<Real>& x, std::int64_t n);
template <class Real>
Tensor<Real> sum_over(const Tensor<Real>& x, int dim, bool keep);
// [.., S, E] -> [.., S, keys]: of a query's E numbers the one for the distance to the key, 0 for keys further away or
// later.
template <class Real>
Tensor<Real> relative_bias(const Tensor<Real>& x, std::int64_t past);

// Writes x into `to`, along `dim` from `begin` on.
template <class Real>
void put(const Tensor<Real>& x, Tensor<Real>& to, int dim, std::int64_t begin);

}  // namespace tpsim::exec
