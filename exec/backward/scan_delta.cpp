#include <cmath>

#include "exec/backward/scans.h"

namespace tpsim::exec {
namespace {

constexpr double kUnitEps = 1e-6;

// Through u = factor x / |x|, with |x|^2 + eps under the root.
template <class Real>
void add_unit_gradient(const Real* x, std::int64_t n, Real factor, const std::vector<Real>& of_unit, Real* into) {
  Real square = static_cast<Real>(kUnitEps), along = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    square += x[i] * x[i];
    along += x[i] * of_unit[static_cast<std::size_t>(i)];
  }
  const Real scale = factor / std::sqrt(square);
  for (std::int64_t i = 0; i < n; ++i)
    into[i] += scale * (of_unit[static_cast<std::size_t>(i)] - x[i] * along / square);
}

template <class Real>
std::vector<Real> unit(const Real* x, std::int64_t n, Real factor) {
  Real square = static_cast<Real>(kUnitEps);
  for (std::int64_t i = 0; i < n; ++i) square += x[i] * x[i];
  std::vector<Real> result(x, x + n);
  for (Real& v : result) v *= factor / std::sqrt(square);
  return result;
}

// One head of one sequence: h = exp(g) h; r = v - h^T k; h += k outer beta r; y = h^T q. The states are kept.
template <class Real>
class DeltaBackward {
public:
  DeltaBackward(const std::vector<const Tensor<Real>*>& in, const Tensor<Real>& gradient)
      : v_(*in[0]),
        q_(*in[1]),
        k_(*in[2]),
        g_(*in[3]),
        beta_(*in[4]),
        gradient_(gradient),
        length_(v_.shape[1]),
        lanes_(v_.shape[2]),
        p_(v_.shape[3]),
        d_(q_.shape[-1]),
        by_row_(g_.shape.rank() > 3) {
    for (const Tensor<Real>* input : in) of_.push_back(make_tensor<Real>(input->shape));
  }

  std::vector<Tensor<Real>> run() {
    for (std::int64_t s = 0; s < v_.shape[0]; ++s)
      for (std::int64_t lane = 0; lane < lanes_; ++lane) {
        forward(s, lane);
        of_h_.assign(static_cast<std::size_t>(d_ * p_), 0);
        for (std::int64_t t = length_ - 1; t >= 0; --t) back(s, lane, t);
      }
    return std::move(of_);
  }

private:
  struct Position {
    std::int64_t v, q, k, g, beta;
    std::vector<Real> key, query, missing;  // missing: v - h^T k
    std::vector<Real> decayed, after;       // states
  };

  void forward(std::int64_t s, std::int64_t lane) {
    positions_.clear();
    std::vector<Real> h(static_cast<std::size_t>(d_ * p_));
    for (std::int64_t t = 0; t < length_; ++t) {
      Position at{lane_at(v_, s, t, lane, lanes_),
                  lane_at(q_, s, t, lane, lanes_),
                  lane_at(k_, s, t, lane, lanes_),
                  lane_at(g_, s, t, lane, lanes_),
                  lane_at(beta_, s, t, lane, lanes_),
                  {},
                  {},
                  {},
                  {},
                  {}};
      at.key = unit(k_.data() + at.k, d_, Real(1));
      at.query = unit(q_.data() + at.q, d_, query_factor());
      for (std::int64_t i = 0; i < d_; ++i)
        for (std::int64_t j = 0; j < p_; ++j) h[index(i, j)] *= decay(at, i);
      at.decayed = h;
      at.missing.assign(v_.data() + at.v, v_.data() + at.v + p_);
      for (std::int64_t i = 0; i < d_; ++i)
        for (std::int64_t j = 0; j < p_; ++j) at.missing[index(0, j)] -= h[index(i, j)] * at.key[index(0, i)];
      for (std::int64_t i = 0; i < d_; ++i)
        for (std::int64_t j = 0; j < p_; ++j)
          h[index(i, j)] += at.key[index(0, i)] * beta_.data()[at.beta] * at.missing[index(0, j)];
      at.after = h;
      positions_.push_back(std::move(at));
    }
  }

  void back(std::int64_t s, std::int64_t lane, std::int64_t t) {
    const Position& at = positions_[static_cast<std::size_t>(t)];
    const Real* g = gradient_.data() + ((s * length_ + t) * lanes_ + lane) * p_;
    const Real rate = beta_.data()[at.beta];
    std::vector<Real> of_query(static_cast<std::size_t>(d_)), of_key(of_query),
        of_missing(static_cast<std::size_t>(p_));
    for (std::int64_t i = 0; i < d_; ++i)
      for (std::int64_t j = 0; j < p_; ++j) {
        of_query[index(0, i)] += at.after[index(i, j)] * g[j];
        Real& of_h = of_h_[index(i, j)];
        of_h += at.query[index(0, i)] * g[j];
        of_key[index(0, i)] += of_h * rate * at.missing[index(0, j)];
        of_[4].data()[at.beta] += of_h * at.key[index(0, i)] * at.missing[index(0, j)];
        of_missing[index(0, j)] += of_h * at.key[index(0, i)] * rate;
      }
    for (std::int64_t j = 0; j < p_; ++j) of_[0].data()[at.v + j] += of_missing[index(0, j)];
    for (std::int64_t i = 0; i < d_; ++i)
      for (std::int64_t j = 0; j < p_; ++j) {
        of_key[index(0, i)] -= of_missing[index(0, j)] * at.decayed[index(i, j)];
        Real& of_h = of_h_[index(i, j)];
        of_h -= of_missing[index(0, j)] * at.key[index(0, i)];
        of_[3].data()[at.g + (by_row_ ? i : 0)] += of_h * at.decayed[index(i, j)];
        of_h *= decay(at, i);
      }
    add_unit_gradient(q_.data() + at.q, d_, query_factor(), of_query, of_[1].data() + at.q);
    add_unit_gradient(k_.data() + at.k, d_, Real(1), of_key, of_[2].data() + at.k);
  }

  Real decay(const Position& at, std::int64_t i) const { return std::exp(g_.data()[at.g + (by_row_ ? i : 0)]); }
  Real query_factor() const { return Real(1) / std::sqrt(static_cast<Real>(d_)); }
  std::size_t index(std::int64_t i, std::int64_t j) const { return static_cast<std::size_t>(i * p_ + j); }

  const Tensor<Real>&v_, &q_, &k_, &g_, &beta_, &gradient_;
  std::int64_t length_, lanes_, p_, d_;
  bool by_row_;
  std::vector<Position> positions_;
  std::vector<Real> of_h_;
  std::vector<Tensor<Real>> of_;
};

}  // namespace

template <class Real>
std::vector<Tensor<Real>> delta_rule_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                               const Tensor<Real>& gradient) {
  return DeltaBackward<Real>(inputs, gradient).run();
}

template std::vector<Tensor<float>> delta_rule_gradients(const std::vector<const Tensor<float>*>&,
                                                         const Tensor<float>&);
template std::vector<Tensor<double>> delta_rule_gradients(const std::vector<const Tensor<double>*>&,
                                                          const Tensor<double>&);

}  // namespace tpsim::exec
