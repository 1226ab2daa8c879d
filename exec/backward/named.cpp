#include "exec/backward/named.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "exec/kernels/named.h"

namespace tpsim::exec {
namespace {

template <class Real>
using Inputs = std::vector<const Tensor<Real>*>;
template <class Real>
using Values = std::vector<Tensor<Real>>;

// y = a * size(b) / size(a), sizes by rows; small a count as of one least size, which does not change with them.
template <class Real>
Values<Real> of_match_magnitude(const Inputs<Real>& in, const Tensor<Real>& g) {
  const Tensor<Real>&a = *in[0], &b = *in[1];
  const std::int64_t n = a.columns();
  Values<Real> of{make_tensor<Real>(a.shape), make_tensor<Real>(b.shape)};
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    const std::int64_t target_row = row % b.rows();
    const Real *x = a.data() + row * n, *y = b.data() + target_row * n, *from = g.data() + row * n;
    const Real square = mean_square(x, n), own = std::sqrt(std::max(square, kLeastMeanSquare<Real>));
    const Real target = std::sqrt(mean_square(y, n)), dot = std::inner_product(from, from + n, x, Real(0));
    const Real shrink = square > kLeastMeanSquare<Real> ? dot * target / (own * own * own * static_cast<Real>(n)) : 0;
    const Real grow = target > 0 ? dot / (own * target * static_cast<Real>(n)) : 0;
    for (std::int64_t i = 0; i < n; ++i) {
      of[0].data()[row * n + i] = from[i] * target / own - x[i] * shrink;
      of[1].data()[target_row * n + i] += y[i] * grow;
    }
  }
  return of;
}

template <class Real>
Values<Real> of_mean_of_streams(const Inputs<Real>& in, const Tensor<Real>& g) {
  Tensor<Real> of = make_tensor<Real>(in[1]->shape);
  const auto streams = static_cast<Real>(in[1]->shape[0]);
  for (std::int64_t i = 0; i < of.numel(); ++i) of.data()[i] = g.data()[i % g.numel()] / streams;
  return {{}, std::move(of)};
}

// What is above the cut passes; the cut moves with mean and deviation.
template <class Real>
Values<Real> of_gaussian_topk(const Inputs<Real>& in, double share, const Tensor<Real>& g) {
  const Tensor<Real>& x = *in[0];
  const std::int64_t n = x.columns();
  const auto z = static_cast<Real>(normal_quantile(share)), count = static_cast<Real>(n);
  Tensor<Real> of = make_tensor<Real>(x.shape);
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real *from = x.data() + row * n, *gradient = g.data() + row * n;
    Real* to = of.data() + row * n;
    const Real mean = std::accumulate(from, from + n, Real(0)) / count;
    const Real deviation = std::sqrt(std::max(mean_square(from, n) - mean * mean, Real(0)));
    Real passed = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (from[i] > mean + z * deviation) to[i] = gradient[i];
      passed += to[i];
    }
    for (std::int64_t i = 0; i < n && deviation > 0; ++i)
      to[i] -= passed * (Real(1) + z * (from[i] - mean) / deviation) / count;
  }
  return {std::move(of)};
}

template <class Real>
Values<Real> of_altup_predict(const Inputs<Real>& in, const Tensor<Real>& g) {
  const Tensor<Real>&x = *in[0], &coefficients = *in[1];
  const std::int64_t streams = x.shape[0], rows = x.rows() / streams, n = x.columns();
  Values<Real> of{make_tensor<Real>(x.shape), make_tensor<Real>(coefficients.shape)};
  *of[0].real = *g.real;
  for (std::int64_t to = 0; to < streams; ++to)
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t from = 0; from < streams; ++from) {
        const std::int64_t at = (row * streams + to) * streams + from, start = (from * rows + row) * n;
        const Real* gradient = g.data() + (to * rows + row) * n;
        const Real c = coefficients.data()[at];
        of[1].data()[at] = std::inner_product(gradient, gradient + n, x.data() + start, Real(0));
        for (std::int64_t i = 0; i < n; ++i) of[0].data()[start + i] += c * gradient[i];
      }
  return of;
}

template <class Real>
Values<Real> of_altup_correct(const Inputs<Real>& in, std::int64_t active, const Tensor<Real>& g) {
  const Tensor<Real>&x = *in[0], &y = *in[1], &coefficients = *in[2];
  const std::int64_t streams = x.shape[0], rows = x.rows() / streams, n = x.columns();
  Values<Real> of{make_tensor<Real>(x.shape), make_tensor<Real>(y.shape), make_tensor<Real>(coefficients.shape)};
  *of[0].real = *g.real;
  for (std::int64_t p = 0; p < streams; ++p)
    for (std::int64_t row = 0; row < rows; ++row) {
      const Real c = coefficients.data()[row * streams + p] + Real(1);
      Real& of_coefficient = of[2].data()[row * streams + p];
      for (std::int64_t i = 0; i < n; ++i) {
        const Real gradient = g.data()[(p * rows + row) * n + i];
        const std::int64_t now = (active * rows + row) * n + i;
        of[0].data()[now] -= c * gradient;
        of[1].data()[row * n + i] += c * gradient;
        of_coefficient += gradient * (y.data()[row * n + i] - x.data()[now]);
      }
    }
  return of;
}

template <class Real>
Values<Real> of_per_expert_scale(const Inputs<Real>& in, const Tensor<Real>& g) {
  Tensor<Real> of = make_tensor<Real>(in[1]->shape);
  for (std::int64_t i = 0; i < g.numel(); ++i)
    if (in[2]->ids()[i] < of.numel()) of.data()[in[2]->ids()[i]] += g.data()[i];
  return {{}, std::move(of)};
}

template <class Real>
Values<Real> of_share_of_zero_experts(const Inputs<Real>& in, std::int64_t computing, const Tensor<Real>& g) {
  const Tensor<Real>&weights = *in[1], &indices = *in[2];
  Tensor<Real> of = make_tensor<Real>(weights.shape);
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    if (indices.ids()[i] >= computing) of.data()[i] = g.data()[i / weights.columns()];
  return {{}, std::move(of)};
}

constexpr std::array<std::string_view, 8> kNames{"match_magnitude",       "mean_of_streams",  "gaussian_topk",
                                                 "altup_predict",         "altup_correct",    "per_expert_scale",
                                                 "share_of_zero_experts", "lightning_indexer"};

}  // namespace

bool has_named_gradient(std::string_view name) { return std::find(kNames.begin(), kNames.end(), name) != kNames.end(); }

template <class Real>
std::vector<Tensor<Real>> named_gradients(std::string_view name, const std::vector<const Tensor<Real>*>& in,
                                          double number, const Tensor<Real>& g) {
  if (name == "match_magnitude") return of_match_magnitude(in, g);
  if (name == "mean_of_streams") return of_mean_of_streams(in, g);
  if (name == "gaussian_topk") return of_gaussian_topk(in, number, g);
  if (name == "altup_predict") return of_altup_predict(in, g);
  if (name == "altup_correct") return of_altup_correct(in, static_cast<std::int64_t>(number), g);
  if (name == "per_expert_scale") return of_per_expert_scale(in, g);
  if (name == "share_of_zero_experts") return of_share_of_zero_experts(in, static_cast<std::int64_t>(number), g);
  return {};  // the indexer chooses
}

template std::vector<Tensor<float>> named_gradients(std::string_view, const std::vector<const Tensor<float>*>&, double,
                                                    const Tensor<float>&);
template std::vector<Tensor<double>> named_gradients(std::string_view, const std::vector<const Tensor<double>*>&,
                                                     double, const Tensor<double>&);

}  // namespace tpsim::exec
