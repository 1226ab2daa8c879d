// Gradients of routing and of experts. Indices have none.
#pragma once

#include "exec/kernels/experts.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// Of best_experts' scores.
template <class Real>
Tensor<Real> best_experts_gradient(const Shape& scores, const Tensor<Real>& indices, const Tensor<Real>& gradient);
// The same of a sparse mixer (Routing::jitter).
template <class Real>
Tensor<Real> mixed_experts_gradient(const Tensor<Real>& scores, const Tensor<Real>& indices, double jitter,
                                    const Tensor<Real>& gradient);
// Of scattered_routes' weights.
template <class Real>
Tensor<Real> scattered_routes_gradient(const Tensor<Real>& indices, const Tensor<Real>& gradient);
// Of own_routes' weights; `own`: the indices that it gave.
template <class Real>
Tensor<Real> own_routes_gradient(const Shape& weights, const Tensor<Real>& own, std::int64_t held, int rank, bool dense,
                                 const Tensor<Real>& gradient);

template <class Real>
struct ExpertRowGradients {
  Tensor<Real> x, weights;
};
// Null: no gradient comes from there.
template <class Real>
ExpertRowGradients<Real> expert_rows_gradients(const Shape& x, const Tensor<Real>& indices, std::int64_t expert,
                                               const Tensor<Real>* rows, const Tensor<Real>* row_weights);
// Of with_expert_rows' rows.
template <class Real>
Tensor<Real> added_rows_gradient(const Tensor<Real>& gradient, const Tensor<Real>& indices, std::int64_t expert);

template <class Real>
struct ExpertsGradients {
  Tensor<Real> x, weights, gate_up, down, gate_up_bias, down_bias;  // biases: empty without
};
template <class Real>
ExpertsGradients<Real> experts_gradients(const Tensor<Real>& x, const Tensor<Real>& indices,
                                         const Tensor<Real>& weights, const ExpertWeights<Real>& w,
                                         const ExpertLayout& layout, const Tensor<Real>& gradient);

}  // namespace tpsim::exec
