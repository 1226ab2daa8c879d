#include "exec/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tpsim::exec {
namespace {

// Head slopes of ALiBi (arXiv 2108.12409): powers of 2^(-8/n), for n no power of two every second one of the next.
double alibi_slope(std::int64_t head, std::int64_t heads) {
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  const double base = std::pow(2.0, -8.0 / static_cast<double>(power));
  if (head < power) return std::pow(base, static_cast<double>(head + 1));
  const double finer = std::pow(2.0, -4.0 / static_cast<double>(power));
  return std::pow(finer, static_cast<double>(2 * (head - power) + 1));
}

}  // namespace

std::int64_t first_key(const AttentionSettings& s, std::int64_t position) {
  std::int64_t first = 0;
  if (s.window > 0) first = std::max(first, position - s.window + 1);
  if (s.chunk > 0) first = std::max(first, position / s.chunk * s.chunk);
  return first;
}

std::vector<double> head_slopes(std::int64_t heads) {
  std::vector<double> slopes;
  for (std::int64_t h = 0; h < heads; ++h) slopes.push_back(alibi_slope(h, heads));
  return slopes;
}

namespace {

template <class Real>
struct Head {
  const Real *q, *k, *v;
  const Real* bias;  // [K] per query row, or null
  std::int64_t bias_stride;
};

// One head of one sequence; `out` has `out_stride` numbers from position to position.
template <class Real>
class HeadAttention {
public:
  HeadAttention(const AttentionSettings& s, std::int64_t queries, std::int64_t keys, std::int64_t width,
                std::int64_t values)
      : s_(s), queries_(queries), keys_(keys), width_(width), values_(values), scores_(static_cast<std::size_t>(keys)) {
    scale_ = static_cast<Real>(s.scale != 0 ? s.scale : 1 / std::sqrt(static_cast<double>(width)));
  }

  void run(const Head<Real>& head, const Real* sink, double slope, Real* out, std::int64_t out_stride) {
    for (std::int64_t i = 0; i < queries_; ++i) {
      const std::int64_t position = keys_ - queries_ + i;
      const std::int64_t begin = s_.causal ? first_key(s_, position) : 0, end = s_.causal ? position + 1 : keys_;
      score(head, i, begin, end, slope);
      weigh(sink, begin, end);
      Real* row = out + i * out_stride;
      std::fill(row, row + values_, Real(0));
      for (std::int64_t j = begin; j < end; ++j) {
        const Real w = scores_[static_cast<std::size_t>(j)];
        const Real* value = head.v + j * values_;
        for (std::int64_t c = 0; c < values_; ++c) row[c] += w * value[c];
      }
    }
  }

private:
  void score(const Head<Real>& head, std::int64_t i, std::int64_t begin, std::int64_t end, double slope) {
    const Real* q = head.q + i * width_;
    for (std::int64_t j = begin; j < end; ++j) {
      const Real* k = head.k + j * width_;
      Real dot = 0;
      for (std::int64_t c = 0; c < width_; ++c) dot += q[c] * k[c];
      dot *= scale_;
      if (s_.softcap != 0) dot = static_cast<Real>(s_.softcap) * std::tanh(dot / static_cast<Real>(s_.softcap));
      if (head.bias != nullptr) dot += head.bias[i * head.bias_stride + j];
      if (s_.alibi) dot += static_cast<Real>(slope * static_cast<double>(j));
      scores_[static_cast<std::size_t>(j)] = dot;
    }
  }

  void weigh(const Real* sink, std::int64_t begin, std::int64_t end) {
    const auto first = scores_.begin() + begin, last = scores_.begin() + end;
    Real most = *std::max_element(first, last);
    if (sink != nullptr) most = std::max(most, *sink);
    Real sum = sink == nullptr ? Real(0) : std::exp(*sink - most);
    for (auto at = first; at != last; ++at) sum += * at = std::exp(*at - most);
    for (auto at = first; at != last; ++at) *at /= sum;
  }

  const AttentionSettings& s_;
  std::int64_t queries_, keys_, width_, values_;
  std::vector<Real> scores_;
  Real scale_ = 1;
};

}  // namespace

template <class Real>
Tensor<Real> attention(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v, const Tensor<Real>* sinks,
                       const Tensor<Real>* bias, const AttentionSettings& s) {
  const std::int64_t batch = q.shape[0], queries = q.shape[2], keys = k.shape[2], d = q.columns(), dv = v.columns();
  const std::int64_t key_heads = k.shape[1] * s.groups, value_heads = v.shape[1] * s.groups;
  const std::int64_t heads = std::max({q.shape[1], key_heads, value_heads});
  Tensor<Real> result = make_tensor<Real>(Shape{batch, queries, heads, dv});
  HeadAttention<Real> one(s, queries, keys, d, dv);
  const auto under = [&](std::int64_t head, std::int64_t repeated) { return repeated == 1 ? 0 : head / s.groups; };
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h) {
      Head<Real> head{};
      head.q = q.data() + (b * q.shape[1] + (q.shape[1] == 1 ? 0 : h)) * queries * d;
      head.k = k.data() + (b * k.shape[1] + under(h, key_heads)) * keys * d;
      head.v = v.data() + (b * v.shape[1] + under(h, value_heads)) * keys * dv;
      if (bias != nullptr) {
        const std::int64_t sequence = bias->shape[0] == 1 ? 0 : b, own = bias->shape[1] == 1 ? 0 : h;
        head.bias = bias->data() + (sequence * bias->shape[1] + own) * bias->shape[2] * keys;
        head.bias_stride = bias->shape[2] == 1 ? 0 : keys;
      }
      one.run(head, sinks == nullptr ? nullptr : sinks->data() + h, s.alibi ? alibi_slope(h, heads) : 0,
              result.data() + (b * queries * heads + h) * dv, heads * dv);
    }
  return result;
}

template Tensor<float> attention(const Tensor<float>&, const Tensor<float>&, const Tensor<float>&, const Tensor<float>*,
                                 const Tensor<float>*, const AttentionSettings&);
template Tensor<double> attention(const Tensor<double>&, const Tensor<double>&, const Tensor<double>&,
                                  const Tensor<double>*, const Tensor<double>*, const AttentionSettings&);

}  // namespace tpsim::exec
