#include "exec/backward/expert_gate.h"

#include <algorithm>
#include <cmath>

#include "exec/backward/activations.h"
#include "exec/kernels/elementwise.h"

namespace tpsim::exec {
namespace {

constexpr std::string_view kGptOssGate = "gpt_oss_swiglu", kClampedGate = "clamped_silu", kLimitedGate = "limited_silu";
constexpr double kGptOssLimit = 7, kGptOssSlope = 1.702;

template <class Real>
struct Halves {
  Tensor<Real> gate, up;
};

// Where an element of a row lies in the halves, and back. torch.chunk: an odd width gives the first half more.
template <class Real, class F>
void each_half(const Tensor<Real>& x, bool interleaved, Halves<Real>& halves, F f) {
  const std::int64_t width = x.columns(), inner = (width + 1) / 2;
  for (std::int64_t row = 0; row < x.rows(); ++row)
    for (std::int64_t i = 0; i < width; ++i) {
      const bool first = interleaved ? i % 2 == 0 : i < inner;
      const std::int64_t column = interleaved ? i / 2 : first ? i : i - inner;
      f(row * width + i, (first ? halves.gate : halves.up).data()[row * (first ? inner : width - inner) + column]);
    }
}

template <class Real>
Halves<Real> empty_halves(const Tensor<Real>& x) {
  const std::int64_t width = x.columns(), inner = (width + 1) / 2;
  return {make_tensor<Real>(Shape{x.rows(), inner}), make_tensor<Real>(Shape{x.rows(), width - inner})};
}

template <class Real>
Halves<Real> halves_of(const Tensor<Real>& x, bool interleaved) {
  Halves<Real> halves = empty_halves(x);
  each_half(x, interleaved, halves, [&](std::int64_t at, Real& half) { half = x.data()[at]; });
  return halves;
}

// gpt-oss: (up + 1) * gate * sigmoid(1.702 gate); clamped_silu: silu(gate) * up. Both limit gate from above and up from
// both sides; limited_silu limits silu(gate) instead of gate.
struct ClampedGate {
  double limit, slope, shift;
  bool after = false;
};

bool clamps(const ExpertLayout& layout) {
  return layout.activation == kGptOssGate || layout.activation == kClampedGate || layout.activation == kLimitedGate;
}

ClampedGate clamped_gate(const ExpertLayout& layout) {
  return layout.activation == kGptOssGate ? ClampedGate{kGptOssLimit, kGptOssSlope, 1}
                                          : ClampedGate{layout.limit, 1, 0, layout.activation == kLimitedGate};
}

template <class Real>
Real swish(Real x, Real slope) {
  return x / (Real(1) + std::exp(-slope * x));
}

template <class Real>
Halves<Real> clamped_gradients(const Halves<Real>& x, const ClampedGate& gate, const Tensor<Real>& gradient) {
  const Real limit = static_cast<Real>(gate.limit), slope = static_cast<Real>(gate.slope),
             shift = static_cast<Real>(gate.shift);
  Halves<Real> result{make_tensor<Real>(x.gate.shape), make_tensor<Real>(x.up.shape)};
  for (std::int64_t i = 0; i < gradient.numel(); ++i) {
    const Real whole = x.gate.data()[i], u = std::clamp(x.up.data()[i], -limit, limit);
    const Real g = gate.after ? whole : std::min(whole, limit);
    const Real s = Real(1) / (Real(1) + std::exp(-slope * g));
    const bool gate_free = (gate.after ? g * s : whole) <= limit, up_free = std::fabs(x.up.data()[i]) <= limit;
    if (gate_free) result.gate.data()[i] = gradient.data()[i] * (u + shift) * (s + slope * g * s * (Real(1) - s));
    if (up_free) result.up.data()[i] = gradient.data()[i] * (gate.after ? std::min(g * s, limit) : g * s);
  }
  return result;
}

template <class Real>
Halves<Real> plain_gradients(const Halves<Real>& x, const std::string& activation, const Tensor<Real>& gradient) {
  const Tensor<Real> active = activated(x.gate, activation, 0, {});
  return {activation_gradients(x.gate, activation, 0, {}, binary(Arithmetic::mul, gradient, x.up, gradient.shape))[0],
          binary(Arithmetic::mul, gradient, active, gradient.shape)};
}

}  // namespace

template <class Real>
Tensor<Real> gate_output(const Tensor<Real>& x, const ExpertLayout& layout) {
  if (!layout.gated) return activated(x, layout.activation, 0, {});
  const Halves<Real> halves = halves_of(x, layout.interleaved);
  if (!clamps(layout))
    return binary(Arithmetic::mul, activated(halves.gate, layout.activation, 0, {}), halves.up, halves.gate.shape);
  const ClampedGate gate = clamped_gate(layout);
  const Real limit = static_cast<Real>(gate.limit);
  Tensor<Real> result = make_tensor<Real>(halves.gate.shape);
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const Real g = halves.gate.data()[i], slope = static_cast<Real>(gate.slope);
    const Real active = gate.after ? std::min(swish(g, slope), limit) : swish(std::min(g, limit), slope);
    result.data()[i] = active * (std::clamp(halves.up.data()[i], -limit, limit) + static_cast<Real>(gate.shift));
  }
  return result;
}

template <class Real>
Tensor<Real> gate_gradient(const Tensor<Real>& x, const ExpertLayout& layout, const Tensor<Real>& gradient) {
  if (!layout.gated) return activation_gradients(x, layout.activation, 0, {}, gradient)[0];
  const Halves<Real> halves = halves_of(x, layout.interleaved);
  Halves<Real> parts = clamps(layout) ? clamped_gradients(halves, clamped_gate(layout), gradient)
                                      : plain_gradients(halves, layout.activation, gradient);
  Tensor<Real> result = make_tensor<Real>(x.shape);
  each_half(x, layout.interleaved, parts, [&](std::int64_t at, Real& half) { result.data()[at] = half; });
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                \
  template Tensor<Real> gate_output(const Tensor<Real>&, const ExpertLayout&); \
  template Tensor<Real> gate_gradient(const Tensor<Real>&, const ExpertLayout&, const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
