// Mixtures of experts: the choice of experts, and their computation on the tokens routed to them.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

struct Routing {
  std::int64_t k = 1;
  std::int64_t groups =
      0;  // 0 = none: else only experts of the `keep_groups` best groups, a group scores by its `group_best` best
  std::int64_t keep_groups = 0, group_best = 2;
  double jitter =
      0;  // sparse mixer (arXiv 2409.12136): one after the other, weighted among those within 2 * jitter of the best
};
// Whether a sparse mixer weighs expert e when it chooses `best`.
template <class Real>
bool is_near(const Real* scores, std::int64_t e, std::int64_t best, double jitter) {
  const Real factor = std::max(std::fabs(scores[e]), scores[best]);
  return (scores[best] - scores[e]) / factor <= static_cast<Real>(2 * jitter);
}
// The weight of `best` among the experts that are left and near it.
template <class Real>
Real mixed_weight(const Real* scores, const std::vector<std::int64_t>& left, std::int64_t best, double jitter) {
  Real sum = 0;
  for (const std::int64_t e : left)
    if (is_near(scores, e, best, jitter)) sum += std::exp(scores[e] - scores[best]);
  return Real(1) / sum;
}

template <class Real>
struct Routes {
  Tensor<Real> weights, indices;  // [T, k]
};
// The k best of each row, best first; equal ones by index. `choice` (null = scores) decides, the weights are the
// scores'.
template <class Real>
Routes<Real> best_experts(const Tensor<Real>& scores, const Tensor<Real>* choice, const Routing& routing);
// [T, k] -> [T, experts], zero except at the indices.
template <class Real>
Tensor<Real> scattered_routes(const Tensor<Real>& weights, const Tensor<Real>& indices, std::int64_t experts);
// Weights of experts outside [rank * held, (rank + 1) * held) become 0 and their indices `held`; the others count from
// there. `dense`: the weights are columns of all experts, of which the own ones are kept.
template <class Real>
Routes<Real> own_routes(const Tensor<Real>& weights, const Tensor<Real>& indices, std::int64_t held, int rank,
                        bool dense);

template <class Real>
struct ExpertRows {
  Tensor<Real> rows, weights;  // [n, H], [n, 1]
};
// Rows of x that are routed to an expert, in order, with their weights.
template <class Real>
ExpertRows<Real> expert_rows(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& weights,
                             std::int64_t expert);
// `sum` with the rows added where expert_rows took them.
template <class Real>
Tensor<Real> with_expert_rows(const Tensor<Real>& sum, const Tensor<Real>& rows, const Tensor<Real>& indices,
                              std::int64_t expert);

struct ExpertLayout {
  bool transposed = false;   // [E, in, out] instead of [E, out, in]
  bool interleaved = false;  // gate and up are even and odd columns
  bool gated = true;
  bool dense = false;  // weights [T, E]
  std::string activation;
  double limit = 0;  // of "clamped_silu" and "limited_silu"
};
// A gate's function that also takes the upper half ("gpt_oss_swiglu", "clamped_silu",
// "limited_silu"), or a plain one by name.
bool is_known_gate(const std::string& activation);
template <class Real>
struct ExpertWeights {
  const Tensor<Real>*gate_up = nullptr, *down = nullptr, *gate_up_bias = nullptr, *down_bias = nullptr;
};
// x [T, H]; indices beyond the experts held are no one's.
template <class Real>
Tensor<Real> experts(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& weights,
                     const ExpertWeights<Real>& w, const ExpertLayout& layout);

}  // namespace tpsim::exec
