#include <cmath>

#include "exec/backward/scans.h"

namespace tpsim::exec {
namespace {

// h[t] = exp(dt[t] a) h[t-1] + dt[t] x[t] b[t], y[t] = h[t] c[t]: one row of one lane, states kept, then backward.
template <class Real>
class SelectiveBackward {
public:
  SelectiveBackward(const std::vector<const Tensor<Real>*>& in, const Tensor<Real>& gradient)
      : x_(*in[0]),
        dt_(*in[1]),
        a_(*in[2]),
        b_(*in[3]),
        c_(*in[4]),
        gradient_(gradient),
        length_(x_.shape[1]),
        lanes_(x_.shape[2]),
        rows_(x_.shape.rank() > 3 ? x_.shape[3] : 1),
        n_(b_.shape[-1]) {
    for (const Tensor<Real>* input : in) of_.push_back(make_tensor<Real>(input->shape));
  }

  std::vector<Tensor<Real>> run() {
    for (std::int64_t s = 0; s < x_.shape[0]; ++s)
      for (std::int64_t lane = 0; lane < lanes_; ++lane)
        for (std::int64_t i = 0; i < rows_; ++i)
          for (std::int64_t j = 0; j < n_; ++j) one(s, lane, i, j);
    return std::move(of_);
  }

private:
  // One number of the state.
  void one(std::int64_t s, std::int64_t lane, std::int64_t i, std::int64_t j) {
    const std::int64_t decay = a_.shape.rank() > 1 ? lane * n_ + j : lane;
    const Real a = a_.data()[decay];
    std::vector<Real> h(static_cast<std::size_t>(length_) + 1);
    for (std::int64_t t = 0; t < length_; ++t) {
      const Real step = dt_.data()[lane_at(dt_, s, t, lane, lanes_)];
      h[static_cast<std::size_t>(t) + 1] =
          std::exp(step * a) * h[static_cast<std::size_t>(t)] +
          step * x_.data()[lane_at(x_, s, t, lane, lanes_) + i] * b_.data()[lane_at(b_, s, t, lane, lanes_) + j];
    }
    Real of_h = 0;
    for (std::int64_t t = length_ - 1; t >= 0; --t) {
      const std::int64_t xt = lane_at(x_, s, t, lane, lanes_) + i, st = lane_at(dt_, s, t, lane, lanes_),
                         bt = lane_at(b_, s, t, lane, lanes_) + j, ct = lane_at(c_, s, t, lane, lanes_) + j;
      const Real step = dt_.data()[st], kept = std::exp(step * a), before = h[static_cast<std::size_t>(t)];
      of_[4].data()[ct] += gradient_.data()[xt] * h[static_cast<std::size_t>(t) + 1];
      of_h += gradient_.data()[xt] * c_.data()[ct];
      of_[0].data()[xt] += of_h * step * b_.data()[bt];
      of_[3].data()[bt] += of_h * step * x_.data()[xt];
      of_[1].data()[st] += of_h * (before * kept * a + x_.data()[xt] * b_.data()[bt]);
      of_[2].data()[decay] += of_h * before * kept * step;
      of_h *= kept;
    }
  }

  const Tensor<Real>&x_, &dt_, &a_, &b_, &c_, &gradient_;
  std::int64_t length_, lanes_, rows_, n_;
  std::vector<Tensor<Real>> of_;
};

}  // namespace

template <class Real>
std::vector<Tensor<Real>> selective_gradients(const std::vector<const Tensor<Real>*>& inputs,
                                              const Tensor<Real>& gradient) {
  return SelectiveBackward<Real>(inputs, gradient).run();
}

template std::vector<Tensor<float>> selective_gradients(const std::vector<const Tensor<float>*>&, const Tensor<float>&);
template std::vector<Tensor<double>> selective_gradients(const std::vector<const Tensor<double>*>&,
                                                         const Tensor<double>&);

}  // namespace tpsim::exec
