#include "exec/backward/recurrent.h"

#include <cmath>

#include "exec/backward/scans.h"
#include "exec/kernels/recurrent.h"

namespace tpsim::exec {

template <class Real>
ConvGradients<Real> causal_conv_gradients(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias,
                                          const Tensor<Real>& gradient) {
  const std::int64_t channels = x.shape[1], length = x.shape[2], taps = weight.shape[2];
  ConvGradients<Real> result{make_tensor<Real>(x.shape), make_tensor<Real>(weight.shape), {}};
  if (bias != nullptr) result.bias = make_tensor<Real>(bias->shape);
  for (std::int64_t row = 0; row < x.shape[0] * channels; ++row) {
    const std::int64_t w = row % channels * taps;
    for (std::int64_t t = 0; t < length; ++t) {
      const Real g = gradient.data()[row * length + t];
      if (bias != nullptr) result.bias.data()[row % channels] += g;
      for (std::int64_t j = 0; j < taps; ++j) {
        const std::int64_t from = t - taps + 1 + j;
        if (from < 0) continue;
        result.x.data()[row * length + from] += g * weight.data()[w + j];
        result.weight.data()[w + j] += g * x.data()[row * length + from];
      }
    }
  }
  return result;
}

// out[t] = sum over s <= t of decay^(t - s) (q[t] k[s]) v[s].
template <class Real>
std::vector<Tensor<Real>> lightning_gradients(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v,
                                              std::int64_t layer, std::int64_t layers, const Tensor<Real>& gradient) {
  const std::int64_t heads = q.shape[1], length = q.shape[2], d = q.shape[3];
  std::vector<Tensor<Real>> result{make_tensor<Real>(q.shape), make_tensor<Real>(k.shape), make_tensor<Real>(v.shape)};
  for (std::int64_t row = 0; row < q.shape[0] * heads; ++row) {
    const double decay = lightning_decay(row % heads, heads, layer, layers);
    for (std::int64_t t = 0; t < length; ++t) {
      const Real* g = gradient.data() + ((row / heads * length + t) * heads + row % heads) * d;
      const std::int64_t to = (row * length + t) * d;
      for (std::int64_t s = 0; s <= t; ++s) {
        const std::int64_t from = (row * length + s) * d;
        const auto kept = static_cast<Real>(std::pow(decay, static_cast<double>(t - s)));
        Real dot = 0, of_dot = 0;
        for (std::int64_t c = 0; c < d; ++c) {
          dot += q.data()[to + c] * k.data()[from + c];
          of_dot += g[c] * v.data()[from + c];
        }
        for (std::int64_t c = 0; c < d; ++c) {
          result[0].data()[to + c] += kept * of_dot * k.data()[from + c];
          result[1].data()[from + c] += kept * of_dot * q.data()[to + c];
          result[2].data()[from + c] += kept * dot * g[c];
        }
      }
    }
  }
  return result;
}

bool has_scan_gradient(std::string_view kind) { return is_known_scan(kind); }

template <class Real>
std::vector<Tensor<Real>> scan_gradients(std::string_view kind, const std::vector<const Tensor<Real>*>& inputs,
                                         const Tensor<Real>& output, const Tensor<Real>& gradient) {
  if (kind == "wkv") return weighted_keys_gradients(inputs, gradient);
  if (kind == "rg_lru") return gated_lru_gradients(inputs, output, gradient);
  return kind == "ssm" ? selective_gradients(inputs, gradient) : delta_rule_gradients(inputs, gradient);
}

#define TPSIM_INSTANTIATE(Real)                                                                                        \
  template ConvGradients<Real> causal_conv_gradients(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>*,    \
                                                     const Tensor<Real>&);                                             \
  template std::vector<Tensor<Real>> lightning_gradients(                                                              \
      const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>&, std::int64_t, std::int64_t, const Tensor<Real>&); \
  template std::vector<Tensor<Real>> scan_gradients(std::string_view, const std::vector<const Tensor<Real>*>&,         \
                                                    const Tensor<Real>&, const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
