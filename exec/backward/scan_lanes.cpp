#include <algorithm>
#include <cmath>

#include "exec/backward/scans.h"

namespace tpsim::exec {
namespace {

// One lane of RWKV-4 in double precision: y = (a + own v) / (b + own), a = d a + e v, b = d b + e, where e = exp(k) and
// own = exp(first + k). Keys are counted from the largest one, which numerator and denominator have in common.
class WeightedKeysLane {
public:
  WeightedKeysLane(std::vector<double> values, std::vector<double> keys, double decay, double first)
      : v_(std::move(values)), k_(std::move(keys)), keep_(std::exp(-std::exp(decay))), rate_(-std::exp(decay)) {
    const double most = *std::max_element(k_.begin(), k_.end());
    for (const double k : k_) {
      e_.push_back(std::exp(k - most));
      own_.push_back(std::exp(first + k - most));
    }
    a_.assign(v_.size() + 1, 0);
    b_ = a_;
    for (std::size_t t = 0; t < v_.size(); ++t) {
      a_[t + 1] = keep_ * a_[t] + e_[t] * v_[t];
      b_[t + 1] = keep_ * b_[t] + e_[t];
    }
  }

  void run(const std::vector<double>& gradient) {
    of_v.assign(v_.size(), 0);
    of_k = of_v;
    double of_a = 0, of_b = 0;  // of the state after the position
    for (std::size_t t = v_.size(); t-- > 0;) {
      const double below = b_[t] + own_[t], y = (a_[t] + own_[t] * v_[t]) / below;
      const double up = gradient[t] / below, down = -gradient[t] * y / below;
      const double by_own = own_[t] * (v_[t] * up + down);
      of_v[t] = own_[t] * up + e_[t] * of_a;
      of_k[t] = by_own + e_[t] * (v_[t] * of_a + of_b);
      of_first += by_own;
      of_decay += (of_a * a_[t] + of_b * b_[t]) * keep_ * rate_;
      of_a = keep_ * of_a + up;
      of_b = keep_ * of_b + down;
    }
  }

  std::vector<double> of_v, of_k;
  double of_decay = 0, of_first = 0;

private:
  std::vector<double> v_, k_, e_, own_, a_, b_;
  double keep_, rate_;
};

constexpr double kSteepestRoot = 1000;  // the class clips the root's derivative

}  // namespace

template <class Real>
std::vector<Tensor<Real>> weighted_keys_gradients(const std::vector<const Tensor<Real>*>& in, const Tensor<Real>& g) {
  const Tensor<Real>&v = *in[0], &k = *in[1], &decay = *in[2], &first = *in[3];
  const std::int64_t batch = v.shape[0], length = v.shape[1], lanes = v.shape[2];
  std::vector<Tensor<Real>> of;
  for (const Tensor<Real>* input : in) of.push_back(make_tensor<Real>(input->shape));
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t l = 0; l < lanes; ++l) {
      const auto column = [&](const Tensor<Real>& x) {
        std::vector<double> values;
        for (std::int64_t t = 0; t < length; ++t)
          values.push_back(static_cast<double>(x.data()[(s * length + t) * lanes + l]));
        return values;
      };
      WeightedKeysLane lane(column(v), column(k), static_cast<double>(decay.data()[l]),
                            static_cast<double>(first.data()[l]));
      lane.run(column(g));
      for (std::int64_t t = 0; t < length; ++t) {
        of[0].data()[(s * length + t) * lanes + l] = static_cast<Real>(lane.of_v[static_cast<std::size_t>(t)]);
        of[1].data()[(s * length + t) * lanes + l] = static_cast<Real>(lane.of_k[static_cast<std::size_t>(t)]);
      }
      of[2].data()[l] += static_cast<Real>(lane.of_decay);
      of[3].data()[l] += static_cast<Real>(lane.of_first);
    }
  return of;
}

template <class Real>
std::vector<Tensor<Real>> gated_lru_gradients(const std::vector<const Tensor<Real>*>& in, const Tensor<Real>& h,
                                              const Tensor<Real>& g) {
  const Tensor<Real>&x = *in[0], &a = *in[1];
  const std::int64_t batch = x.shape[0], length = x.shape[1], lanes = x.shape[2];
  std::vector<Tensor<Real>> of{make_tensor<Real>(x.shape), make_tensor<Real>(a.shape)};
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t l = 0; l < lanes; ++l) {
      Real of_state = 0;
      for (std::int64_t t = length; t-- > 0;) {
        const std::int64_t at = (s * length + t) * lanes + l;
        const Real keep = a.data()[at], rest = Real(1) - keep * keep;
        of_state += g.data()[at];
        if (t == 0) {
          of[0].data()[at] = of_state;
          break;
        }
        const Real steep = std::min(Real(0.5) / std::sqrt(rest), static_cast<Real>(kSteepestRoot));
        of[0].data()[at] = std::sqrt(rest) * of_state;
        of[1].data()[at] = of_state * (h.data()[at - lanes] - 2 * keep * steep * x.data()[at]);
        of_state *= keep;
      }
    }
  return of;
}

#define TPSIM_INSTANTIATE(Real)                                                                                        \
  template std::vector<Tensor<Real>> weighted_keys_gradients(const std::vector<const Tensor<Real>*>&,                  \
                                                             const Tensor<Real>&);                                     \
  template std::vector<Tensor<Real>> gated_lru_gradients(const std::vector<const Tensor<Real>*>&, const Tensor<Real>&, \
                                                         const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
