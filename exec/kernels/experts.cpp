#include "exec/kernels/experts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/top_k.h"

namespace tpsim::exec {
namespace {

constexpr char kGptOssGate[] = "gpt_oss_swiglu";
constexpr char kClampedGate[] = "clamped_silu";
constexpr char kLimitedGate[] = "limited_silu";

// Scores with those of all but the best groups set to 0, as the routers do (DeepSeek-V3).
template <class Real>
std::vector<Real> kept_groups(const Real* choice, std::int64_t n, const Routing& r) {
  const std::int64_t size = n / r.groups;
  std::vector<Real> group_score(static_cast<std::size_t>(r.groups));
  for (std::int64_t g = 0; g < r.groups; ++g)
    for (const std::int64_t best : largest(choice + g * size, size, std::min(size, r.group_best)))
      group_score[static_cast<std::size_t>(g)] += choice[g * size + best];
  std::vector<Real> kept(static_cast<std::size_t>(n), Real(0));
  for (const std::int64_t g : largest(group_score.data(), r.groups, std::min(r.groups, r.keep_groups)))
    std::copy_n(choice + g * size, size, kept.begin() + g * size);
  return kept;
}

}  // namespace

template <class Real>
Routes<Real> best_experts(const Tensor<Real>& scores, const Tensor<Real>* choice, const Routing& routing) {
  const std::int64_t n = scores.columns(), rows = scores.rows();
  const Shape shape = scores.shape.with(scores.shape.rank() - 1, routing.k);
  Routes<Real> routes{make_tensor<Real>(shape),
                      make_ids<Real>(shape, std::vector<std::int64_t>(static_cast<std::size_t>(shape.numel())))};
  for (std::int64_t row = 0; row < rows; ++row) {
    const Real* by = (choice == nullptr ? scores : *choice).data() + row * n;
    std::vector<Real> kept;
    if (routing.groups > 1) {
      kept = kept_groups(by, n, routing);
      by = kept.data();
    }
    const auto best = largest(by, n, routing.k);
    auto left = largest(by, n, n);
    for (std::int64_t i = 0; i < routing.k; ++i) {
      const auto at = static_cast<std::size_t>(row * routing.k + i);
      (*routes.indices.whole)[at] = best[static_cast<std::size_t>(i)];
      (*routes.weights.real)[at] = scores.data()[row * n + best[static_cast<std::size_t>(i)]];
      if (routing.jitter <= 0) continue;
      (*routes.weights.real)[at] = mixed_weight(by, left, left.front(), routing.jitter);
      left.erase(left.begin());
    }
  }
  return routes;
}

template <class Real>
Tensor<Real> scattered_routes(const Tensor<Real>& weights, const Tensor<Real>& indices, std::int64_t experts) {
  const std::int64_t k = weights.columns();
  Tensor<Real> result = make_tensor<Real>(weights.shape.with(weights.shape.rank() - 1, experts));
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    result.data()[i / k * experts + indices.ids()[i]] = weights.data()[i];
  return result;
}

template <class Real>
Routes<Real> own_routes(const Tensor<Real>& weights, const Tensor<Real>& indices, std::int64_t held, int rank,
                        bool dense) {
  Routes<Real> own{weights, make_ids<Real>(indices.shape, *indices.whole)};
  if (dense) {
    const std::int64_t all = weights.columns();
    own.weights = make_tensor<Real>(weights.shape.with(weights.shape.rank() - 1, held));
    for (std::int64_t row = 0; row < weights.rows(); ++row)
      std::copy_n(weights.data() + row * all + rank * held, held, own.weights.data() + row * held);
  } else {
    own.weights = make_tensor<Real>(weights.shape);
    *own.weights.real = *weights.real;
  }
  for (std::size_t i = 0; i < own.indices.whole->size(); ++i) {
    std::int64_t& index = (*own.indices.whole)[i];
    const bool mine = index / held == rank;
    index = mine ? index % held : held;
    if (!mine && !dense) (*own.weights.real)[i] = 0;
  }
  return own;
}

template <class Real>
ExpertRows<Real> expert_rows(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& weights,
                             std::int64_t expert) {
  const std::int64_t k = indices.columns(), width = x.columns();
  std::vector<Real> rows, row_weights;
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    if (indices.ids()[i] != expert) continue;
    const Real* row = x.data() + i / k * width;
    rows.insert(rows.end(), row, row + width);
    row_weights.push_back(weights.data()[i]);
  }
  const auto count = static_cast<std::int64_t>(row_weights.size());
  return {{Shape{count, width}, std::make_shared<std::vector<Real>>(std::move(rows)), nullptr},
          {Shape{count, 1}, std::make_shared<std::vector<Real>>(std::move(row_weights)), nullptr}};
}

template <class Real>
Tensor<Real> with_expert_rows(const Tensor<Real>& sum, const Tensor<Real>& rows, const Tensor<Real>& indices,
                              std::int64_t expert) {
  const std::int64_t k = indices.columns(), width = rows.columns();
  Tensor<Real> result = make_tensor<Real>(sum.shape.with(sum.shape.rank() - 1, width));
  if (sum.columns() == width) *result.real = *sum.real;
  const Real* row = rows.data();
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    if (indices.ids()[i] != expert) continue;
    for (std::int64_t c = 0; c < width; ++c) result.data()[i / k * width + c] += row[c];
    row += width;
  }
  return result;
}

namespace {

// gpt-oss: both halves limited to 7, (up + 1) * gate * sigmoid(1.702 gate).
template <class Real>
Real gpt_oss_gate(Real gate, Real up) {
  gate = std::min(gate, Real(7));
  up = std::clamp(up, Real(-7), Real(7));
  return (up + 1) * gate / (Real(1) + std::exp(Real(-1.702) * gate));
}

// silu(gate) * up, both limited.
template <class Real>
Real clamped_gate(Real gate, Real up, Real limit) {
  gate = std::min(gate, limit);
  return gate / (Real(1) + std::exp(-gate)) * std::clamp(up, -limit, limit);
}

// silu(gate) * up, both limited after the function.
template <class Real>
Real limited_gate(Real gate, Real up, Real limit) {
  return std::min(gate / (Real(1) + std::exp(-gate)), limit) * std::clamp(up, -limit, limit);
}

// [rows, 2 I] -> [rows, I].
template <class Real>
Tensor<Real> gated(const Tensor<Real>& x, const ExpertLayout& layout) {
  // torch.chunk: an odd width gives the first half more
  const std::int64_t width = x.columns(), inner = layout.gated ? (width + 1) / 2 : width;
  if (!layout.gated) return activated(x, layout.activation, 0, {});
  Tensor<Real> gate = make_tensor<Real>(Shape{x.rows(), inner}), up = make_tensor<Real>(Shape{x.rows(), width - inner});
  for (std::int64_t row = 0; row < x.rows(); ++row)
    for (std::int64_t i = 0; i < width; ++i) {
      const bool first = layout.interleaved ? i % 2 == 0 : i < inner;
      const std::int64_t column = layout.interleaved ? i / 2 : first ? i : i - inner;
      (first ? gate : up).data()[row * (first ? inner : width - inner) + column] = x.data()[row * width + i];
    }
  const bool clamps = layout.activation == kClampedGate, limits = layout.activation == kLimitedGate;
  if (!clamps && !limits && layout.activation != kGptOssGate)
    return binary(Arithmetic::mul, activated(gate, layout.activation, 0, {}), up, gate.shape);
  for (std::int64_t i = 0; i < gate.numel(); ++i) {
    Real& g = gate.data()[i];
    const Real u = up.data()[i], limit = static_cast<Real>(layout.limit);
    g = clamps ? clamped_gate(g, u, limit) : limits ? limited_gate(g, u, limit) : gpt_oss_gate(g, u);
  }
  return gate;
}

template <class Real>
Tensor<Real> of_expert(const Tensor<Real>& stacked, std::int64_t e) {
  Shape shape;
  for (int i = 1; i < stacked.shape.rank(); ++i) shape.push_back(stacked.shape[i]);
  Tensor<Real> one = make_tensor<Real>(shape);
  std::copy_n(stacked.data() + e * shape.numel(), shape.numel(), one.data());
  return one;
}

template <class Real>
Tensor<Real> product(const Tensor<Real>& x, const Tensor<Real>& weights, const Tensor<Real>* biases, std::int64_t e,
                     bool transposed) {
  const std::int64_t n = weights.shape[transposed ? 2 : 1];
  Tensor<Real> result = make_tensor<Real>(Shape{x.rows(), n});
  if (x.rows() > 0)
    matrix_product(x.data(), weights.data() + e * weights.shape[1] * weights.shape[2], result.data(), x.rows(), n,
                   x.columns(), transposed);
  return biases == nullptr ? result : binary(Arithmetic::add, result, of_expert(*biases, e), result.shape);
}

}  // namespace

bool is_known_gate(const std::string& activation) {
  return activation == kGptOssGate || activation == kClampedGate || activation == kLimitedGate ||
         is_known_activation(activation);
}

template <class Real>
Tensor<Real> experts(const Tensor<Real>& x, const Tensor<Real>& indices, const Tensor<Real>& weights,
                     const ExpertWeights<Real>& w, const ExpertLayout& layout) {
  const std::int64_t held = w.gate_up->shape[0], k = indices.columns();
  Tensor<Real> chosen = weights;
  if (layout.dense) {
    chosen = make_tensor<Real>(indices.shape);
    for (std::int64_t i = 0; i < indices.numel(); ++i)
      if (indices.ids()[i] < weights.columns())
        chosen.data()[i] = weights.data()[i / k * weights.columns() + indices.ids()[i]];
  }
  Tensor<Real> sum = make_tensor<Real>(x.shape.with(x.shape.rank() - 1, w.down->shape[layout.transposed ? 2 : 1]));
  for (std::int64_t e = 0; e < held; ++e) {
    const ExpertRows<Real> routed = expert_rows(x, indices, chosen, e);
    if (routed.rows.rows() == 0) continue;
    const Tensor<Real> inner = gated(product(routed.rows, *w.gate_up, w.gate_up_bias, e, layout.transposed), layout);
    Tensor<Real> out = product(inner, *w.down, w.down_bias, e, layout.transposed);
    out = binary(Arithmetic::mul, out, routed.weights, out.shape);
    sum = with_expert_rows(sum, out, indices, e);
  }
  return sum;
}

#define TPSIM_INSTANTIATE(Real)                                                                                        \
  template Routes<Real> best_experts(const Tensor<Real>&, const Tensor<Real>*, const Routing&);                        \
  template Tensor<Real> scattered_routes(const Tensor<Real>&, const Tensor<Real>&, std::int64_t);                      \
  template Routes<Real> own_routes(const Tensor<Real>&, const Tensor<Real>&, std::int64_t, int, bool);                 \
  template ExpertRows<Real> expert_rows(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&, std::int64_t);  \
  template Tensor<Real> with_expert_rows(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&, std::int64_t); \
  template Tensor<Real> experts(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&,                         \
                                const ExpertWeights<Real>&, const ExpertLayout&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
