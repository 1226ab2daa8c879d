#include "exec/kernels/named.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "exec/kernels/shape_kernels.h"
#include "exec/kernels/top_k.h"

namespace tpsim::exec {
namespace {

template <class Real>
using Inputs = std::vector<const Tensor<Real>*>;

template <class Real>
Tensor<Real> match_magnitude(const Inputs<Real>& in) {
  const Tensor<Real>&a = *in[0], &b = *in[1];
  const std::int64_t n = a.columns();
  Tensor<Real> result = make_tensor<Real>(a.shape);
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    const Real target = std::sqrt(mean_square(b.data() + row % b.rows() * n, n));
    const Real own = std::sqrt(std::max(mean_square(a.data() + row * n, n), kLeastMeanSquare<Real>));
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = a.data()[row * n + i] * target / own;
  }
  return result;
}

template <class Real>
Tensor<Real> mean_of_streams(const Inputs<Real>& in) {
  Tensor<Real> mean = sum_over(*in[1], 0, false);
  for (Real& v : *mean.real) v /= static_cast<Real>(in[1]->shape[0]);
  return mean;
}

template <class Real>
Tensor<Real> gaussian_topk(const Inputs<Real>& in, double share) {
  const Tensor<Real>& x = *in[0];
  const std::int64_t n = x.columns();
  const auto z = static_cast<Real>(normal_quantile(share));
  Tensor<Real> result = make_tensor<Real>(x.shape);
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real* from = x.data() + row * n;
    const Real mean = std::accumulate(from, from + n, Real(0)) / static_cast<Real>(n);
    Real square = 0;
    for (std::int64_t i = 0; i < n; ++i) square += (from[i] - mean) * (from[i] - mean);
    const Real cut = mean + z * std::sqrt(square / static_cast<Real>(n));
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = std::max(from[i] - cut, Real(0));
  }
  return result;
}

template <class Real>
Tensor<Real> altup_predict(const Inputs<Real>& in) {
  const Tensor<Real>&x = *in[0], &coefficients = *in[1];
  const std::int64_t streams = x.shape[0], rows = x.rows() / streams, n = x.columns();
  Tensor<Real> result = make_tensor<Real>(x.shape);
  *result.real = *x.real;
  for (std::int64_t to = 0; to < streams; ++to)
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t from = 0; from < streams; ++from) {
        const Real c = coefficients.data()[(row * streams + to) * streams + from];
        for (std::int64_t i = 0; i < n; ++i)
          result.data()[(to * rows + row) * n + i] += c * x.data()[(from * rows + row) * n + i];
      }
  return result;
}

template <class Real>
Tensor<Real> altup_correct(const Inputs<Real>& in, std::int64_t active) {
  const Tensor<Real>&x = *in[0], &y = *in[1], &coefficients = *in[2];
  const std::int64_t streams = x.shape[0], rows = x.rows() / streams, n = x.columns();
  Tensor<Real> result = make_tensor<Real>(x.shape);
  for (std::int64_t p = 0; p < streams; ++p)
    for (std::int64_t row = 0; row < rows; ++row) {
      const Real c = coefficients.data()[row * streams + p] + Real(1);
      for (std::int64_t i = 0; i < n; ++i) {
        const Real innovation = y.data()[row * n + i] - x.data()[(active * rows + row) * n + i];
        result.data()[(p * rows + row) * n + i] = x.data()[(p * rows + row) * n + i] + c * innovation;
      }
    }
  return result;
}

template <class Real>
Tensor<Real> per_expert_scale(const Inputs<Real>& in) {
  const Tensor<Real>&scale = *in[1], &indices = *in[2];
  Tensor<Real> result = make_tensor<Real>(in[0]->shape);
  for (std::int64_t i = 0; i < result.numel(); ++i)
    if (indices.ids()[i] < scale.numel()) result.data()[i] = scale.data()[indices.ids()[i]];
  return result;
}

template <class Real>
Tensor<Real> share_of_zero_experts(const Inputs<Real>& in, std::int64_t computing) {
  const Tensor<Real>&weights = *in[1], &indices = *in[2];
  Tensor<Real> share = make_tensor<Real>(in[0]->shape);
  for (std::int64_t i = 0; i < weights.numel(); ++i)
    if (indices.ids()[i] >= computing) share.data()[i / weights.columns()] += weights.data()[i];
  return share;
}

// A convolution over positions within groups of channels: x [B, C, S], weight [C, C / groups, K], bias [C]. Before the
// sequence stands `start` [C]; `state`: the last K - 1 positions.
template <class Real>
Tensor<Real> grouped_convolution(const Inputs<Real>& in, Tensor<Real>& state) {
  const Tensor<Real>&x = *in[0], &weight = *in[1], &bias = *in[2], &start = *in[3];
  const std::int64_t batch = x.shape[0], channels = x.shape[1], length = x.shape[2], width = weight.shape[1],
                     taps = weight.shape[2];
  if (state.empty()) {
    state = make_tensor<Real>(Shape{batch, channels, taps - 1});
    for (std::int64_t i = 0; i < state.numel(); ++i) state.data()[i] = start.data()[i / (taps - 1) % channels];
  }
  const Tensor<Real> all = concat<Real>({&state, &x}, 2);
  Tensor<Real> result = make_tensor<Real>(x.shape);
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t t = 0; t < length; ++t) {
        Real sum = bias.data()[c];
        for (std::int64_t i = 0; i < width; ++i) {
          const Real* from = all.data() + (b * channels + c / width * width + i) * (length + taps - 1) + t;
          sum = std::inner_product(from, from + taps, weight.data() + (c * width + i) * taps, sum);
        }
        result.data()[(b * channels + c) * length + t] = sum;
      }
  state = slice(all, 2, {length, length + taps - 1});
  return result;
}

// DeepSeek-V3.2: the keys with the largest sum over heads of weight * relu(q k).
template <class Real>
class LightningIndexer {
public:
  LightningIndexer(const Tensor<Real>& q, const Tensor<Real>& keys, const Tensor<Real>& weights)
      : q_(q),
        keys_(keys),
        weights_(weights),
        heads_(q.shape[1]),
        queries_(q.shape[2]),
        width_(q.shape[3]),
        all_(keys.shape[2]) {}

  Tensor<Real> chosen(std::int64_t most) const {
    Tensor<Real> bias = make_tensor<Real>(Shape{q_.shape[0], 1, queries_, all_});
    std::fill(bias.real->begin(), bias.real->end(), -std::numeric_limits<Real>::infinity());
    for (std::int64_t b = 0; b < q_.shape[0]; ++b)
      for (std::int64_t i = 0; i < queries_; ++i) {
        const std::vector<Real> scores = scores_of(b, i);
        for (const std::int64_t key : largest(scores.data(), all_, std::min(all_, most)))
          bias.data()[(b * queries_ + i) * all_ + key] = 0;
      }
    return bias;
  }

private:
  // Keys behind the query's own position come last.
  std::vector<Real> scores_of(std::int64_t b, std::int64_t i) const {
    std::vector<Real> scores(static_cast<std::size_t>(all_), std::numeric_limits<Real>::lowest());
    const std::int64_t seen = all_ - queries_ + i + 1;
    const Real scale = Real(1) / std::sqrt(static_cast<Real>(width_)),
               per_head = Real(1) / std::sqrt(static_cast<Real>(heads_));
    for (std::int64_t j = 0; j < seen; ++j) {
      Real sum = 0;
      for (std::int64_t h = 0; h < heads_; ++h) {
        const Real* q = q_.data() + ((b * heads_ + h) * queries_ + i) * width_;
        const Real* k = keys_.data() + (b * all_ + j) * width_;
        const Real dot = std::inner_product(q, q + width_, k, Real(0)) * scale;
        sum += weights_.data()[(b * queries_ + i) * heads_ + h] * per_head * std::max(dot, Real(0));
      }
      scores[static_cast<std::size_t>(j)] = sum;
    }
    return scores;
  }

  const Tensor<Real>&q_, &keys_, &weights_;
  std::int64_t heads_, queries_, width_, all_;
};

constexpr std::array<std::string_view, 9> kNames{"grouped_convolution", "share_of_zero_experts", "per_expert_scale",
                                                 "match_magnitude",     "mean_of_streams",       "gaussian_topk",
                                                 "altup_predict",       "altup_correct",         "lightning_indexer"};

}  // namespace

double normal_quantile(double share) {
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle * M_SQRT1_2) < share ? low : high) = middle;
  }
  return low;
}

bool is_known_computation(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

template <class Real>
Tensor<Real> named_computation(std::string_view name, const std::vector<const Tensor<Real>*>& in, double number,
                               Tensor<Real>& state) {
  if (name == "grouped_convolution") return grouped_convolution(in, state);
  if (name == "match_magnitude") return match_magnitude(in);
  if (name == "per_expert_scale") return per_expert_scale(in);
  if (name == "share_of_zero_experts") return share_of_zero_experts(in, static_cast<std::int64_t>(number));
  if (name == "mean_of_streams") return mean_of_streams(in);
  if (name == "gaussian_topk") return gaussian_topk(in, number);
  if (name == "altup_predict") return altup_predict(in);
  if (name == "altup_correct") return altup_correct(in, static_cast<std::int64_t>(number));
  state = state.empty() ? *in[2] : concat<Real>({&state, in[2]}, 2);
  return LightningIndexer<Real>(*in[1], state, *in[3]).chosen(static_cast<std::int64_t>(number));
}

template Tensor<float> named_computation(std::string_view, const std::vector<const Tensor<float>*>&, double,
                                         Tensor<float>&);
template Tensor<double> named_computation(std::string_view, const std::vector<const Tensor<double>*>&, double,
                                          Tensor<double>&);

}  // namespace tpsim::exec
