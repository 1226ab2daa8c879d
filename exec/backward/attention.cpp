#include "exec/backward/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace tpsim::exec {
namespace {

template <class Real>
class AttentionBackward {
public:
  AttentionBackward(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v, const Tensor<Real>* sinks,
                    const Tensor<Real>* bias, const AttentionSettings& s, const Tensor<Real>& gradient)
      : q_(q),
        k_(k),
        v_(v),
        sinks_(sinks),
        bias_(bias),
        s_(s),
        gradient_(gradient),
        heads_(gradient.shape[2]),
        keys_(k.shape[2]),
        scale_(static_cast<Real>(s.scale != 0 ? s.scale : 1 / std::sqrt(static_cast<double>(q.columns())))),
        slopes_(s.alibi ? head_slopes(heads_) : std::vector<double>()) {
    result_.q = make_tensor<Real>(q.shape);
    result_.k = make_tensor<Real>(k.shape);
    result_.v = make_tensor<Real>(v.shape);
    if (sinks != nullptr) result_.sinks = make_tensor<Real>(sinks->shape);
    if (bias != nullptr) result_.bias = make_tensor<Real>(bias->shape);
  }

  AttentionGradients<Real> run() {
    for (std::int64_t b = 0; b < q_.shape[0]; ++b)
      for (std::int64_t h = 0; h < heads_; ++h)
        for (std::int64_t i = 0; i < q_.shape[2]; ++i) row(b, h, i);
    return std::move(result_);
  }

private:
  struct Place {
    std::int64_t q, k, v, bias, gradient;
  };

  // Heads of keys and values serve a group of query heads; one head alone serves all.
  std::int64_t group_head(const Tensor<Real>& x, std::int64_t h) const {
    return x.shape[1] * s_.groups == 1 ? 0 : h / s_.groups;
  }

  Place place(std::int64_t b, std::int64_t h, std::int64_t i) const {
    Place at{};
    at.q = ((b * q_.shape[1] + (q_.shape[1] == 1 ? 0 : h)) * q_.shape[2] + i) * q_.columns();
    at.k = (b * k_.shape[1] + group_head(k_, h)) * keys_ * k_.columns();
    at.v = (b * v_.shape[1] + group_head(v_, h)) * keys_ * v_.columns();
    at.gradient = ((b * q_.shape[2] + i) * heads_ + h) * v_.columns();
    if (bias_ != nullptr)
      at.bias = (((bias_->shape[0] == 1 ? 0 : b) * bias_->shape[1] + (bias_->shape[1] == 1 ? 0 : h)) * bias_->shape[2] +
                 (bias_->shape[2] == 1 ? 0 : i)) *
                keys_;
    return at;
  }

  // Capped scores without bias, and the weights of the keys; returns the sink's weight.
  Real weigh(const Place& at, std::int64_t h, Range seen) {
    capped_.assign(static_cast<std::size_t>(seen.size()), 0);
    weights_ = capped_;
    Real most = sinks_ == nullptr ? std::numeric_limits<Real>::lowest() : sinks_->data()[h];
    for (std::int64_t j = seen.begin; j < seen.end; ++j) {
      const Real* q = q_.data() + at.q;
      Real dot = std::inner_product(q, q + q_.columns(), k_.data() + at.k + j * k_.columns(), Real(0)) * scale_;
      if (s_.softcap != 0) dot = static_cast<Real>(s_.softcap) * std::tanh(dot / static_cast<Real>(s_.softcap));
      const auto n = static_cast<std::size_t>(j - seen.begin);
      capped_[n] = dot;
      if (bias_ != nullptr) dot += bias_->data()[at.bias + j];
      if (s_.alibi) dot += static_cast<Real>(slopes_[static_cast<std::size_t>(h)] * static_cast<double>(j));
      weights_[n] = dot;
      most = std::max(most, dot);
    }
    const Real sink = sinks_ == nullptr ? Real(0) : std::exp(sinks_->data()[h] - most);
    Real sum = sink;
    for (Real& w : weights_) sum += w = std::exp(w - most);
    for (Real& w : weights_) w /= sum;
    return sink / sum;
  }

  void row(std::int64_t b, std::int64_t h, std::int64_t i) {
    const std::int64_t position = keys_ - q_.shape[2] + i;
    const Range seen = s_.causal ? Range{first_key(s_, position), position + 1} : Range{0, keys_};
    const Place at = place(b, h, i);
    const Real sink = weigh(at, h, seen);
    const std::int64_t width = v_.columns();
    const Real* g = gradient_.data() + at.gradient;
    std::vector<Real> of_weight(weights_.size());
    for (std::size_t n = 0; n < weights_.size(); ++n) {
      const std::int64_t value = at.v + (seen.begin + static_cast<std::int64_t>(n)) * width;
      of_weight[n] = std::inner_product(g, g + width, v_.data() + value, Real(0));
      for (std::int64_t c = 0; c < width; ++c) result_.v.data()[value + c] += weights_[n] * g[c];
    }
    const Real mean = std::inner_product(weights_.begin(), weights_.end(), of_weight.begin(), Real(0));
    if (sinks_ != nullptr) result_.sinks.data()[h] -= sink * mean;
    for (std::size_t n = 0; n < weights_.size(); ++n)
      if (weights_[n] != 0)
        score(at, seen.begin + static_cast<std::int64_t>(n), n, weights_[n] * (of_weight[n] - mean));
  }

  // The gradient of one score.
  void score(const Place& at, std::int64_t j, std::size_t n, Real g) {
    if (bias_ != nullptr) result_.bias.data()[at.bias + j] += g;
    if (s_.softcap != 0) {
      const Real t = capped_[n] / static_cast<Real>(s_.softcap);
      g *= Real(1) - t * t;
    }
    const std::int64_t width = q_.columns(), key = at.k + j * width;
    for (std::int64_t c = 0; c < width; ++c) {
      result_.q.data()[at.q + c] += g * scale_ * k_.data()[key + c];
      result_.k.data()[key + c] += g * scale_ * q_.data()[at.q + c];
    }
  }

  const Tensor<Real>&q_, &k_, &v_;
  const Tensor<Real>*sinks_, *bias_;
  const AttentionSettings& s_;
  const Tensor<Real>& gradient_;
  std::int64_t heads_, keys_;
  Real scale_;
  std::vector<double> slopes_;
  std::vector<Real> capped_, weights_;
  AttentionGradients<Real> result_;
};

}  // namespace

template <class Real>
AttentionGradients<Real> attention_gradients(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                             const Tensor<Real>* sinks, const Tensor<Real>* bias,
                                             const AttentionSettings& settings, const Tensor<Real>& gradient) {
  return AttentionBackward<Real>(q, k, v, sinks, bias, settings, gradient).run();
}

template AttentionGradients<float> attention_gradients(const Tensor<float>&, const Tensor<float>&, const Tensor<float>&,
                                                       const Tensor<float>*, const Tensor<float>*,
                                                       const AttentionSettings&, const Tensor<float>&);
template AttentionGradients<double> attention_gradients(const Tensor<double>&, const Tensor<double>&,
                                                        const Tensor<double>&, const Tensor<double>*,
                                                        const Tensor<double>*, const AttentionSettings&,
                                                        const Tensor<double>&);

}  // namespace tpsim::exec
