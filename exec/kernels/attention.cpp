#include "exec/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "exec/kernels/vector_attention.h"

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

// One head of one sequence.
template <class Real>
class HeadAttention {
public:
  HeadAttention(const AttentionSettings& s, const AttentionSizes& sizes)
      : s_(s), n_(sizes), scores_(static_cast<std::size_t>(sizes.keys)) {
    scale_ = static_cast<Real>(s.scale != 0 ? s.scale : 1 / std::sqrt(static_cast<double>(sizes.width)));
  }

  void run(const AttentionHead<Real>& head) {
    for (std::int64_t i = 0; i < n_.queries; ++i) {
      const std::int64_t position = n_.keys - n_.queries + i;
      const std::int64_t begin = s_.causal ? first_key(s_, position) : 0, end = s_.causal ? position + 1 : n_.keys;
      score(head, i, begin, end);
      weigh(head.sink, begin, end);
      Real* row = head.out + i * head.out_stride;
      std::fill(row, row + n_.values, Real(0));
      for (std::int64_t j = begin; j < end; ++j) {
        const Real w = scores_[static_cast<std::size_t>(j)];
        const Real* value = head.v + j * n_.values;
        for (std::int64_t c = 0; c < n_.values; ++c) row[c] += w * value[c];
      }
    }
  }

private:
  void score(const AttentionHead<Real>& head, std::int64_t i, std::int64_t begin, std::int64_t end) {
    const Real* q = head.q + i * n_.width;
    for (std::int64_t j = begin; j < end; ++j) {
      const Real* k = head.k + j * n_.width;
      Real dot = 0;
      for (std::int64_t c = 0; c < n_.width; ++c) dot += q[c] * k[c];
      dot *= scale_;
      if (s_.softcap != 0) dot = static_cast<Real>(s_.softcap) * std::tanh(dot / static_cast<Real>(s_.softcap));
      if (head.bias != nullptr) dot += head.bias[i * head.bias_stride + j];
      if (s_.alibi) dot += static_cast<Real>(static_cast<double>(head.slope) * static_cast<double>(j));
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
  const AttentionSizes& n_;
  std::vector<Real> scores_;
  Real scale_ = 1;
};

void attend(const std::vector<AttentionHead<float>>& heads, const AttentionSizes& sizes,
            const AttentionSettings& settings) {
  vector_attention(heads, sizes, settings);
}

void attend(const std::vector<AttentionHead<double>>& heads, const AttentionSizes& sizes,
            const AttentionSettings& settings) {
  HeadAttention<double> one(settings, sizes);
  for (const AttentionHead<double>& head : heads) one.run(head);
}

}  // namespace

template <class Real>
Tensor<Real> attention(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v, const Tensor<Real>* sinks,
                       const Tensor<Real>* bias, const AttentionSettings& s) {
  const std::int64_t batch = q.shape[0], room = k.shape[2];
  const AttentionSizes n{q.shape[2], s.keys > 0 ? s.keys : room, q.columns(), v.columns()};
  const std::int64_t key_heads = k.shape[1] * s.groups, value_heads = v.shape[1] * s.groups;
  const std::int64_t heads = std::max({q.shape[1], key_heads, value_heads});
  Tensor<Real> result = make_tensor<Real>(Shape{batch, n.queries, heads, n.values});
  const auto under = [&](std::int64_t head, std::int64_t repeated) { return repeated == 1 ? 0 : head / s.groups; };
  std::vector<AttentionHead<Real>> all;
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h) {
      AttentionHead<Real> head{};
      head.q = q.data() + (b * q.shape[1] + (q.shape[1] == 1 ? 0 : h)) * n.queries * n.width;
      head.k = k.data() + (b * k.shape[1] + under(h, key_heads)) * room * n.width;
      head.v = v.data() + (b * v.shape[1] + under(h, value_heads)) * room * n.values;
      if (bias != nullptr) {
        const std::int64_t sequence = bias->shape[0] == 1 ? 0 : b, own = bias->shape[1] == 1 ? 0 : h;
        head.bias = bias->data() + (sequence * bias->shape[1] + own) * bias->shape[2] * n.keys;
        head.bias_stride = bias->shape[2] == 1 ? 0 : n.keys;
      }
      head.sink = sinks == nullptr ? nullptr : sinks->data() + h;
      head.slope = s.alibi ? static_cast<Real>(alibi_slope(h, heads)) : 0;
      head.out = result.data() + (b * n.queries * heads + h) * n.values;
      head.out_stride = heads * n.values;
      all.push_back(head);
    }
  attend(all, n, s);
  return result;
}

template Tensor<float> attention(const Tensor<float>&, const Tensor<float>&, const Tensor<float>&, const Tensor<float>*,
                                 const Tensor<float>*, const AttentionSettings&);
template Tensor<double> attention(const Tensor<double>&, const Tensor<double>&, const Tensor<double>&,
                                  const Tensor<double>*, const Tensor<double>*, const AttentionSettings&);

}  // namespace tpsim::exec
