#include "exec/backward/activations.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "exec/kernels/scalar_functions.h"

namespace tpsim::exec {
namespace {

template <class Real>
Real of_scaled_sigmoid(Real x, Real k) {  // x * sigmoid(k x)
  const Real s = sigmoid(k * x);
  return s + k * x * s * (Real(1) - s);
}

template <class Real>
Real of_gelu(Real x) {
  const Real density = std::exp(Real(-0.5) * x * x) * static_cast<Real>(0.3989422804014327);  // 1 / sqrt(2 pi)
  return Real(0.5) * (Real(1) + std::erf(x * static_cast<Real>(M_SQRT1_2))) + x * density;
}

template <class Real>
Real of_gelu_tanh(Real x) {
  const Real k = static_cast<Real>(0.7978845608028654), cubic = static_cast<Real>(0.044715);  // k = sqrt(2 / pi)
  const Real t = std::tanh(k * (x + cubic * x * x * x));
  return Real(0.5) * (Real(1) + t) + Real(0.5) * x * (Real(1) - t * t) * k * (Real(1) + Real(3) * cubic * x * x);
}

template <class Real>
using Function = Real (*)(Real);
template <class Real>
struct Derivative {
  std::string_view name;
  Function<Real> function;
};

template <class Real>
Function<Real> find_derivative(std::string_view name) {
  static constexpr std::array kDerivatives{
      Derivative<Real>{"silu", [](Real x) { return of_scaled_sigmoid(x, Real(1)); }},
      Derivative<Real>{"swish", [](Real x) { return of_scaled_sigmoid(x, Real(1)); }},
      Derivative<Real>{"gelu", [](Real x) { return of_gelu(x); }},
      Derivative<Real>{"gelu_python", [](Real x) { return of_gelu(x); }},
      Derivative<Real>{"gelu_new", [](Real x) { return of_gelu_tanh(x); }},
      Derivative<Real>{"gelu_fast", [](Real x) { return of_gelu_tanh(x); }},
      Derivative<Real>{"gelu_pytorch_tanh", [](Real x) { return of_gelu_tanh(x); }},
      Derivative<Real>{"gelu_accurate", [](Real x) { return of_gelu_tanh(x); }},
      Derivative<Real>{"quick_gelu", [](Real x) { return of_scaled_sigmoid(x, static_cast<Real>(1.702)); }},
      Derivative<Real>{"relu", [](Real x) { return x > 0 ? Real(1) : Real(0); }},
      Derivative<Real>{"relu2", [](Real x) { return x > 0 ? 2 * x : Real(0); }},
      Derivative<Real>{"sigmoid", [](Real x) { return sigmoid(x) * (Real(1) - sigmoid(x)); }},
      Derivative<Real>{"tanh", [](Real x) { return Real(1) - std::tanh(x) * std::tanh(x); }},
      Derivative<Real>{"rsqrt", [](Real x) { return Real(-0.5) / (x * std::sqrt(x)); }},
      Derivative<Real>{"exp", [](Real x) { return std::exp(x); }},
      Derivative<Real>{"log", [](Real x) { return Real(1) / x; }},
      Derivative<Real>{"log1p", [](Real x) { return Real(1) / (Real(1) + x); }},
      Derivative<Real>{"floor", [](Real) { return Real(0); }},
      Derivative<Real>{"softplus", [](Real x) { return sigmoid(x); }},
      Derivative<Real>{"identity", [](Real) { return Real(1); }},
      Derivative<Real>{"linear", [](Real) { return Real(1); }},
  };
  const auto found =
      std::find_if(kDerivatives.begin(), kDerivatives.end(), [&](const auto& d) { return d.name == name; });
  return found == kDerivatives.end() ? nullptr : found->function;
}

// arXiv 2411.13010, as in kernels/elementwise.cpp; the slopes are softplus of the tensors.
template <class Real>
std::vector<Tensor<Real>> xielu_gradients(const Tensor<Real>& x, const std::vector<const Tensor<Real>*>& own,
                                          const Tensor<Real>& gradient) {
  const Real beta = own.size() > 2 ? own[2]->data()[0] : Real(0.5),
             eps = own.size() > 3 ? own[3]->data()[0] : Real(-1e-6);
  const Real raw_positive = own[0]->data()[0], raw_negative = own[1]->data()[0];
  const Real positive = softplus(raw_positive), negative = beta + softplus(raw_negative);
  std::vector<Tensor<Real>> result{make_tensor<Real>(x.shape), make_tensor<Real>(own[0]->shape),
                                   make_tensor<Real>(own[1]->shape)};
  Real of_positive = 0, of_negative = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const Real v = x.data()[i], g = gradient.data()[i];
    const Real inner = v < eps ? std::exp(v) : Real(0);
    result[0].data()[i] = g * (v > 0 ? 2 * positive * v + beta : (inner - 1) * negative + beta);
    (v > 0 ? of_positive : of_negative) += g * (v > 0 ? v * v : std::expm1(std::min(v, eps)) - v);
  }
  result[1].data()[0] = of_positive * sigmoid(raw_positive);
  result[2].data()[0] = of_negative * sigmoid(raw_negative);
  return result;
}

}  // namespace

bool has_derivative(std::string_view name) {
  return find_derivative<float>(name) != nullptr || name == "softcap" || name == "clamp" || name == "xielu";
}

template <class Real>
std::vector<Tensor<Real>> activation_gradients(const Tensor<Real>& x, std::string_view name, double number,
                                               const std::vector<const Tensor<Real>*>& own,
                                               const Tensor<Real>& gradient) {
  if (name == "xielu") return xielu_gradients(x, own, gradient);
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const Real c = static_cast<Real>(number);
  const auto map = [&](auto derivative) {
    for (std::int64_t i = 0; i < x.numel(); ++i) result.data()[i] = gradient.data()[i] * derivative(x.data()[i]);
  };
  if (const Function<Real> derivative = find_derivative<Real>(name))
    map(derivative);
  else if (name == "softcap")
    map([c](Real v) { return Real(1) - std::tanh(v / c) * std::tanh(v / c); });
  else
    map([c](Real v) { return v >= -c && v <= c ? Real(1) : Real(0); });
  return {std::move(result)};
}

template std::vector<Tensor<float>> activation_gradients(const Tensor<float>&, std::string_view, double,
                                                         const std::vector<const Tensor<float>*>&,
                                                         const Tensor<float>&);
template std::vector<Tensor<double>> activation_gradients(const Tensor<double>&, std::string_view, double,
                                                          const std::vector<const Tensor<double>*>&,
                                                          const Tensor<double>&);

}  // namespace tpsim::exec
