#include "exec/kernels/recurrent.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {

template <class Real>
Tensor<Real> causal_conv(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                         Tensor<Real>& state) {
  const std::int64_t batch = x.shape[0], channels = x.shape[1], length = x.shape[2], taps = weight.shape[2],
                     before = taps - 1;
  if (state.empty()) state = make_tensor<Real>(Shape{batch, channels, before});
  Tensor<Real> result = make_tensor<Real>(x.shape), next = make_tensor<Real>(state.shape);
  for (std::int64_t row = 0; row < batch * channels; ++row) {
    const std::int64_t channel = row % channels;
    const Real *from = x.data() + row * length, *w = weight.data() + channel * taps,
               *past = state.data() + row * before;
    const auto at = [&](std::int64_t position) { return position < 0 ? past[before + position] : from[position]; };
    for (std::int64_t t = 0; t < length; ++t) {
      Real sum = bias == nullptr ? Real(0) : bias->data()[channel];
      for (std::int64_t j = 0; j < taps; ++j) sum += w[j] * at(t - before + j);
      result.data()[row * length + t] = sum;
    }
    for (std::int64_t j = 0; j < before; ++j) next.data()[row * before + j] = at(length - before + j);
  }
  state = next;
  return result;
}

namespace {

// Where a lane of a head finds its numbers in an input that has one lane for several.
template <class Real>
const Real* lane_of(const Tensor<Real>& x, std::int64_t batch, std::int64_t position, std::int64_t lane,
                    std::int64_t lanes) {
  const std::int64_t own = x.shape[2], per = lanes / own;
  const std::int64_t width = x.shape.rank() > 3 ? x.shape[3] : 1;
  return x.data() + ((batch * x.shape[1] + position) * own + lane / per) * width;
}

// Mamba 1 and 2: h = exp(dt a) h + dt (x outer b), y = h c. State [B, n, p, N].
template <class Real>
Tensor<Real> selective(const std::vector<const Tensor<Real>*>& in, Tensor<Real>& state) {
  const Tensor<Real>&x = *in[0], &dt = *in[1], &a = *in[2], &b = *in[3], &c = *in[4];
  const std::int64_t batch = x.shape[0], length = x.shape[1], lanes = x.shape[2],
                     p = x.shape.rank() > 3 ? x.shape[3] : 1;
  const std::int64_t n = b.shape[-1];
  if (state.empty()) state = make_tensor<Real>(Shape{batch, lanes, p, n});
  Tensor<Real> result = make_tensor<Real>(x.shape);
  std::vector<Real> h = *state.real;
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t t = 0; t < length; ++t)
      for (std::int64_t l = 0; l < lanes; ++l) {
        const Real step = *lane_of(dt, s, t, l, lanes);
        const Real *bs = lane_of(b, s, t, l, lanes), *cs = lane_of(c, s, t, l, lanes), *xs = lane_of(x, s, t, l, lanes);
        const Real* decay = a.data() + (a.shape.rank() > 1 ? l * n : l);
        for (std::int64_t i = 0; i < p; ++i) {
          Real* own = h.data() + ((s * lanes + l) * p + i) * n;
          Real y = 0;
          for (std::int64_t j = 0; j < n; ++j) {
            own[j] = std::exp(step * decay[a.shape.rank() > 1 ? j : 0]) * own[j] + step * xs[i] * bs[j];
            y += own[j] * cs[j];
          }
          result.data()[((s * length + t) * lanes + l) * p + i] = y;
        }
      }
  state.real = std::make_shared<std::vector<Real>>(std::move(h));
  return result;
}

template <class Real>
std::vector<Real> unit_length(const Real* x, std::int64_t n, Real factor) {
  Real square = 0;
  for (std::int64_t i = 0; i < n; ++i) square += x[i] * x[i];
  const Real scale = factor / std::sqrt(square + Real(1e-6));
  std::vector<Real> unit(x, x + n);
  for (Real& v : unit) v *= scale;
  return unit;
}

// Gated delta rule: h = exp(g) h, h += k outer beta (v - h^T k), y = h^T q. State [B, n, d, p].
template <class Real>
Tensor<Real> delta_rule(const std::vector<const Tensor<Real>*>& in, Tensor<Real>& state) {
  const Tensor<Real>&v = *in[0], &q = *in[1], &k = *in[2], &g = *in[3], &beta = *in[4];
  const std::int64_t batch = v.shape[0], length = v.shape[1], lanes = v.shape[2], p = v.shape[3], d = q.shape[-1];
  if (state.empty()) state = make_tensor<Real>(Shape{batch, lanes, d, p});
  Tensor<Real> result = make_tensor<Real>(v.shape);
  std::vector<Real> h = *state.real, correction(static_cast<std::size_t>(p));
  const bool per_row = g.shape.rank() > 3;
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t t = 0; t < length; ++t)
      for (std::int64_t l = 0; l < lanes; ++l) {
        const auto key = unit_length(lane_of(k, s, t, l, lanes), d, Real(1));
        const auto query = unit_length(lane_of(q, s, t, l, lanes), d, Real(1) / std::sqrt(static_cast<Real>(d)));
        const Real *decay = lane_of(g, s, t, l, lanes), *values = lane_of(v, s, t, l, lanes);
        const Real rate = *lane_of(beta, s, t, l, lanes);
        Real* own = h.data() + (s * lanes + l) * d * p;
        Real* out = result.data() + ((s * length + t) * lanes + l) * p;
        for (std::int64_t i = 0; i < d; ++i)
          for (std::int64_t j = 0; j < p; ++j) own[i * p + j] *= std::exp(decay[per_row ? i : 0]);
        for (std::int64_t j = 0; j < p; ++j) {
          Real seen = 0;
          for (std::int64_t i = 0; i < d; ++i) seen += own[i * p + j] * key[static_cast<std::size_t>(i)];
          correction[static_cast<std::size_t>(j)] = rate * (values[j] - seen);
        }
        for (std::int64_t i = 0; i < d; ++i)
          for (std::int64_t j = 0; j < p; ++j) {
            own[i * p + j] += key[static_cast<std::size_t>(i)] * correction[static_cast<std::size_t>(j)];
            out[j] += own[i * p + j] * query[static_cast<std::size_t>(i)];
          }
      }
  state.real = std::make_shared<std::vector<Real>>(std::move(h));
  return result;
}

// RWKV-4: a mean of the values so far, weighted by exp(key) and decay; the own one has a weight of its own. State [B,
// n, 3]: numerator, denominator and the exponent that both are scaled by.
template <class Real>
Tensor<Real> weighted_keys(const std::vector<const Tensor<Real>*>& in, Tensor<Real>& state) {
  const Tensor<Real>&v = *in[0], &k = *in[1], &decay = *in[2], &own = *in[3];
  const std::int64_t batch = v.shape[0], length = v.shape[1], lanes = v.shape[2];
  std::vector<Real> h(static_cast<std::size_t>(batch * lanes * 3));
  if (state.empty())
    for (std::size_t i = 2; i < h.size(); i += 3) h[i] = Real(-1e38);
  else
    h = *state.real;
  Tensor<Real> result = make_tensor<Real>(v.shape);
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t t = 0; t < length; ++t)
      for (std::int64_t l = 0; l < lanes; ++l) {
        Real* lane = h.data() + (s * lanes + l) * 3;
        const std::int64_t at = (s * length + t) * lanes + l;
        const Real key = k.data()[at], value = v.data()[at], rate = -std::exp(decay.data()[l]);
        Real most = std::max(lane[2], key + own.data()[l]);
        Real before = std::exp(lane[2] - most), now = std::exp(key + own.data()[l] - most);
        result.data()[at] = (before * lane[0] + now * value) / (before * lane[1] + now);
        most = std::max(lane[2] + rate, key);
        before = std::exp(lane[2] + rate - most);
        now = std::exp(key - most);
        lane[0] = before * lane[0] + now * value;
        lane[1] = before * lane[1] + now;
        lane[2] = most;
      }
  state = {Shape{batch, lanes, 3}, std::make_shared<std::vector<Real>>(std::move(h)), nullptr};
  return result;
}

// RG-LRU (arXiv 2402.19427): h = a h + sqrt(1 - a^2) x, at the first position x. State [B, n].
template <class Real>
Tensor<Real> gated_lru(const std::vector<const Tensor<Real>*>& in, Tensor<Real>& state) {
  const Tensor<Real>&x = *in[0], &a = *in[1];
  const std::int64_t batch = x.shape[0], length = x.shape[1], lanes = x.shape[2];
  const bool begins = state.empty();
  std::vector<Real> h(static_cast<std::size_t>(batch * lanes));
  if (!begins) h = *state.real;
  Tensor<Real> result = make_tensor<Real>(x.shape);
  for (std::int64_t s = 0; s < batch; ++s)
    for (std::int64_t t = 0; t < length; ++t)
      for (std::int64_t l = 0; l < lanes; ++l) {
        const std::int64_t at = (s * length + t) * lanes + l;
        const Real keep = a.data()[at], fresh = x.data()[at];
        Real& lane = h[static_cast<std::size_t>(s * lanes + l)];
        lane = begins && t == 0 ? fresh : keep * lane + std::sqrt(Real(1) - keep * keep) * fresh;
        result.data()[at] = lane;
      }
  state = {Shape{batch, lanes}, std::make_shared<std::vector<Real>>(std::move(h)), nullptr};
  return result;
}

}  // namespace

template <class Real>
Tensor<Real> previous(const Tensor<Real>& x, Tensor<Real>& state) {
  const std::int64_t length = x.shape[1];
  if (state.empty()) state = make_tensor<Real>(x.shape.with(1, 1));
  const Tensor<Real> before = state, earlier = slice(x, 1, {0, length - 1});
  state = slice(x, 1, {length - 1, length});
  return length == 1 ? before : concat<Real>({&before, &earlier}, 1);
}

double lightning_decay(std::int64_t head, std::int64_t heads, std::int64_t layer, std::int64_t layers) {
  const double of_layer = 1 - static_cast<double>(layer) / (static_cast<double>(layers) - 1 + 1e-5) + 1e-5;
  const double slope = std::pow(2.0, -8.0 * static_cast<double>(head + 1) / static_cast<double>(heads)) * of_layer;
  return std::exp(-slope);
}

template <class Real>
Tensor<Real> lightning_attention(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                 std::int64_t layer, std::int64_t layers, Tensor<Real>& state) {
  const std::int64_t batch = q.shape[0], heads = q.shape[1], length = q.shape[2], d = q.shape[3];
  std::vector<Real> h(static_cast<std::size_t>(batch * heads * d * d));
  if (!state.empty()) h = *state.real;
  Tensor<Real> result = make_tensor<Real>(Shape{batch, length, heads, d});
  for (std::int64_t row = 0; row < batch * heads; ++row) {
    const auto decay = static_cast<Real>(lightning_decay(row % heads, heads, layer, layers));
    Real* own = h.data() + row * d * d;
    for (std::int64_t t = 0; t < length; ++t) {
      const std::int64_t at = (row * length + t) * d;
      Real* out = result.data() + ((row / heads * length + t) * heads + row % heads) * d;
      for (std::int64_t i = 0; i < d; ++i)
        for (std::int64_t j = 0; j < d; ++j) {
          own[i * d + j] = decay * own[i * d + j] + k.data()[at + i] * v.data()[at + j];
          out[j] += q.data()[at + i] * own[i * d + j];
        }
    }
  }
  state = {Shape{batch, heads, d, d}, std::make_shared<std::vector<Real>>(std::move(h)), nullptr};
  return result;
}

bool is_known_scan(std::string_view kind) {
  return kind == "ssm" || kind == "gated_delta" || kind == "wkv" || kind == "rg_lru";
}

template <class Real>
Tensor<Real> scan(std::string_view kind, const std::vector<const Tensor<Real>*>& inputs, Tensor<Real>& state) {
  if (kind == "wkv") return weighted_keys(inputs, state);
  if (kind == "rg_lru") return gated_lru(inputs, state);
  return kind == "ssm" ? selective(inputs, state) : delta_rule(inputs, state);
}

#define TPSIM_INSTANTIATE(Real)                                                                                    \
  template Tensor<Real> causal_conv(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>*, Tensor<Real>&); \
  template Tensor<Real> previous(const Tensor<Real>&, Tensor<Real>&);                                              \
  template Tensor<Real> lightning_attention(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&,         \
                                            std::int64_t, std::int64_t, Tensor<Real>&);                            \
  template Tensor<Real> scan(std::string_view, const std::vector<const Tensor<Real>*>&, Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
