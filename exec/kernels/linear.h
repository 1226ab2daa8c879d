// Matrix products and table look-ups.
#pragma once

#include <span>

#include "exec/tensor.h"

namespace tpsim::exec {

// c [m, n] = a [m, k] times b; b is [n, k], or [k, n] where `transposed`.
template <class Real>
void matrix_product(const Real* a, const Real* b, Real* c, std::int64_t m, std::int64_t n, std::int64_t k,
                    bool transposed);
// x [..., k], weight [n, k] (transposed: [k, n]), bias [n] or null.
template <class Real>
Tensor<Real> linear(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias, bool transposed);
// The weight as `linear` uses it many times, without its values: packed in float, or as bf16, which they must be.
template <class Real>
Tensor<Real> packed(const Tensor<Real>& weight, bool transposed, bool bf16);
// a [E, N, H], b [E, H, M].
template <class Real>
Tensor<Real> bmm(const Tensor<Real>& a, const Tensor<Real>& b);
// Rows of the table times `scale`. `held`: the ids that its rows stand for, in order; empty = all from 0. Ids outside
// give zeros.
template <class Real>
Tensor<Real> embedding(const Tensor<Real>& ids, const Tensor<Real>& table, double scale, std::span<const Range> held);

}  // namespace tpsim::exec
