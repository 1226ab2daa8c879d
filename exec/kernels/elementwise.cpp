#include "exec/kernels/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <type_traits>

#include "exec/kernels/isa/vector_kernels.h"
#include "exec/kernels/scalar_functions.h"
#include "exec/kernels/workers.h"

namespace tpsim::exec {
namespace {

// g(the function of two numbers)
template <class G>
void with_function(Arithmetic op, G g) {
  switch (op) {
    case Arithmetic::add: return g(std::plus<>());
    case Arithmetic::sub: return g(std::minus<>());
    case Arithmetic::mul: return g(std::multiplies<>());
    case Arithmetic::div: return g(std::divides<>());
  }
}

// Element strides of `x` under the broadcast shape `out`, 0 where x has one element for all.
std::array<std::int64_t, Shape::kMaxRank> strides_under(const Shape& x, const Shape& out) {
  std::array<std::int64_t, Shape::kMaxRank> strides{};
  std::int64_t stride = 1;
  for (int i = x.rank() - 1; i >= 0; --i) {
    const int at = i + out.rank() - x.rank();
    strides[static_cast<std::size_t>(at)] = x[i] == 1 ? 0 : stride;
    stride *= x[i];
  }
  return strides;
}

// f(output index, index in a, index in b) for every element of `out`.
template <class F>
void each_broadcast(const Shape& a, const Shape& b, const Shape& out, F f) {
  const auto sa = strides_under(a, out), sb = strides_under(b, out);
  std::array<std::int64_t, Shape::kMaxRank> index{};
  const std::int64_t total = out.numel();
  std::int64_t ia = 0, ib = 0;
  for (std::int64_t i = 0; i < total; ++i) {
    f(i, ia, ib);
    for (int d = out.rank() - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(d);
      ia += sa[at];
      ib += sb[at];
      if (++index[at] < out[d]) break;
      ia -= sa[at] * out[d];
      ib -= sb[at] * out[d];
      index[at] = 0;
    }
  }
}

template <class Real>
Real gelu_tanh(Real x) {
  const Real k = static_cast<Real>(0.7978845608028654);  // sqrt(2 / pi)
  return Real(0.5) * x * (Real(1) + std::tanh(k * (x + Real(0.044715) * x * x * x)));
}

template <class Real>
using Function = Real (*)(Real);
template <class Real>
struct NamedFunction {
  std::string_view name;
  Function<Real> function;
};

template <class Real>
Function<Real> find_function(std::string_view name) {
  static constexpr std::array kFunctions{
      NamedFunction<Real>{"silu", [](Real x) { return x * sigmoid(x); }},
      NamedFunction<Real>{"swish", [](Real x) { return x * sigmoid(x); }},
      NamedFunction<Real>{"gelu", [](Real x) { return Real(0.5) * x * (Real(1) + std::erf(x * Real(M_SQRT1_2))); }},
      NamedFunction<Real>{"gelu_python",
                          [](Real x) { return Real(0.5) * x * (Real(1) + std::erf(x * Real(M_SQRT1_2))); }},
      NamedFunction<Real>{"gelu_new", [](Real x) { return gelu_tanh(x); }},
      NamedFunction<Real>{"gelu_fast", [](Real x) { return gelu_tanh(x); }},
      NamedFunction<Real>{"gelu_pytorch_tanh", [](Real x) { return gelu_tanh(x); }},
      NamedFunction<Real>{"gelu_accurate", [](Real x) { return gelu_tanh(x); }},
      NamedFunction<Real>{"quick_gelu", [](Real x) { return x * sigmoid(Real(1.702) * x); }},
      NamedFunction<Real>{"relu", [](Real x) { return std::max(x, Real(0)); }},
      NamedFunction<Real>{"relu2", [](Real x) { return x > 0 ? x * x : Real(0); }},
      NamedFunction<Real>{"sigmoid", [](Real x) { return sigmoid(x); }},
      NamedFunction<Real>{"tanh", [](Real x) { return std::tanh(x); }},
      NamedFunction<Real>{"rsqrt", [](Real x) { return Real(1) / std::sqrt(x); }},
      NamedFunction<Real>{"exp", [](Real x) { return std::exp(x); }},
      NamedFunction<Real>{"log", [](Real x) { return std::log(x); }},
      NamedFunction<Real>{"log1p", [](Real x) { return std::log1p(x); }},
      NamedFunction<Real>{"floor", [](Real x) { return std::floor(x); }},
      NamedFunction<Real>{"softplus", [](Real x) { return softplus(x); }},
      NamedFunction<Real>{"identity", [](Real x) { return x; }},
      NamedFunction<Real>{"linear", [](Real x) { return x; }},
  };
  const auto found = std::find_if(kFunctions.begin(), kFunctions.end(), [&](const auto& f) { return f.name == name; });
  return found == kFunctions.end() ? nullptr : found->function;
}

// The function as vector_kernels have it.
std::optional<Pointwise> find_pointwise(std::string_view name) {
  if (name == "silu" || name == "swish") return Pointwise::silu;
  if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh" || name == "gelu_accurate")
    return Pointwise::gelu_tanh;
  if (name == "sigmoid") return Pointwise::sigmoid;
  if (name == "tanh") return Pointwise::tanh;
  if (name == "exp") return Pointwise::exp;
  return std::nullopt;
}

// The xIELU paper's function (arXiv 2411.13010) with trained slopes, as the model class computes it.
template <class Real>
void xielu(Tensor<Real>& x, const std::vector<const Tensor<Real>*>& own) {
  const Real beta = own.size() > 2 ? own[2]->data()[0] : Real(0.5),
             eps = own.size() > 3 ? own[3]->data()[0] : Real(-1e-6);
  const Real positive = softplus(own[0]->data()[0]), negative = beta + softplus(own[1]->data()[0]);
  for (Real& v : *x.real)
    v = v > 0 ? positive * v * v + beta * v : (std::expm1(std::min(v, eps)) - v) * negative + beta * v;
}

}  // namespace

template <class Real>
Tensor<Real> binary(Arithmetic op, const Tensor<Real>& a, const Tensor<Real>& b, const Shape& out) {
  Tensor<Real> result = make_tensor<Real>(out);
  Real* to = result.data();
  const Real *pa = a.data(), *pb = b.data();
  if (a.shape == out && b.shape == out) {
    with_function(op, [&](auto f) {
      parallel_for(out.numel(), worth_a_thread(1), [&](std::int64_t begin, std::int64_t end) {
        std::transform(pa + begin, pa + end, pb + begin, to + begin, f);
      });
    });
    return result;
  }
  with_function(op, [&](auto f) {
    each_broadcast(a.shape, b.shape, out,
                   [&](std::int64_t i, std::int64_t ia, std::int64_t ib) { to[i] = f(pa[ia], pb[ib]); });
  });
  return result;
}

template <class Real>
Tensor<Real> scaled(const Tensor<Real>& x, double factor) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  std::transform(x.real->begin(), x.real->end(), result.real->begin(),
                 [f = static_cast<Real>(factor)](Real v) { return v * f; });
  return result;
}

template <class Real>
Tensor<Real> shifted(const Tensor<Real>& x, double by) {
  Tensor<Real> result = make_like(x, x.shape);
  if (x.whole != nullptr)
    std::transform(x.whole->begin(), x.whole->end(), result.whole->begin(),
                   [b = static_cast<std::int64_t>(by)](std::int64_t v) { return v + b; });
  else
    std::transform(x.real->begin(), x.real->end(), result.real->begin(),
                   [b = static_cast<Real>(by)](Real v) { return v + b; });
  return result;
}

bool is_known_activation(std::string_view name) {
  return find_function<float>(name) != nullptr || name == "softcap" || name == "clamp" || name == "xielu";
}

template <class Real>
Tensor<Real> activated(const Tensor<Real>& x, std::string_view name, double number,
                       const std::vector<const Tensor<Real>*>& own) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const Real c = static_cast<Real>(number);
  const Real* from = x.data();
  Real* to = result.data();
  const auto map = [&](auto f) {
    parallel_for(x.numel(), worth_a_thread(4), [&](std::int64_t begin, std::int64_t end) {
      std::transform(from + begin, from + end, to + begin, f);
    });
  };
  if constexpr (std::is_same_v<Real, float>)
    if (const auto pointwise = find_pointwise(name)) {
      parallel_for(x.numel(), worth_a_thread(4), [&](std::int64_t begin, std::int64_t end) {
        vector_kernels().map(*pointwise, from + begin, to + begin, end - begin);
      });
      return result;
    }
  if (const Function<Real> function = find_function<Real>(name))
    map(function);
  else if (name == "softcap")
    map([c](Real v) { return c * std::tanh(v / c); });
  else if (name == "clamp")
    map([c](Real v) { return std::clamp(v, -c, c); });
  else if (name == "xielu" && own.size() >= 2) {
    *result.real = *x.real;
    xielu(result, own);
  }
  return result;
}

template <class Real>
Tensor<Real> softmax(const Tensor<Real>& x) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const std::int64_t n = x.columns();
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real* from = x.data() + row * n;
    Real* to = result.data() + row * n;
    const Real most = *std::max_element(from, from + n);
    Real sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += to[i] = std::exp(from[i] - most);
    for (std::int64_t i = 0; i < n; ++i) to[i] /= sum;
  }
  return result;
}

template <class Real>
Tensor<Real> normalised(const Tensor<Real>& x) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const std::int64_t n = x.columns();
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real* from = x.data() + row * n;
    Real sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += from[i];
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = from[i] / sum;
  }
  return result;
}

namespace {

template <class Real>
Tensor<Real> standardised(const Tensor<Real>& x, const NormNumbers& numbers) {
  Tensor<Real> result = make_tensor<Real>(x.shape);
  const std::int64_t n = x.columns();
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const Real* from = x.data() + row * n;
    Real mean = 0, square = 0;
    if (numbers.centred)
      for (std::int64_t i = 0; i < n; ++i) mean += from[i] / static_cast<Real>(n);
    for (std::int64_t i = 0; i < n; ++i) square += (from[i] - mean) * (from[i] - mean) / static_cast<Real>(n);
    const Real factor = Real(1) / std::sqrt(square + static_cast<Real>(numbers.eps));
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] = (from[i] - mean) * factor;
  }
  return result;
}

bool fits_columns(const Tensor<float>* own, const Tensor<float>& x) {
  return own == nullptr || own->numel() == x.columns();
}

Tensor<float> vector_norm(const Tensor<float>& x, const Tensor<float>* weight, const Tensor<float>* bias,
                          const NormNumbers& numbers) {
  Tensor<float> result = make_tensor<float>(x.shape);
  const std::int64_t n = x.columns();
  parallel_for(x.rows(), worth_a_thread(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      vector_kernels().norm(x.data() + row * n, result.data() + row * n, n,
                            weight == nullptr ? nullptr : weight->data(), bias == nullptr ? nullptr : bias->data(),
                            static_cast<float>(numbers.eps), static_cast<float>(numbers.offset), numbers.centred);
  });
  return result;
}

}  // namespace

template <class Real>
Tensor<Real> norm(const Tensor<Real>& x, const Tensor<Real>* weight, const Tensor<Real>* bias,
                  const NormNumbers& numbers, const Shape& out) {
  if constexpr (std::is_same_v<Real, float>)
    if (fits_columns(weight, x) && fits_columns(bias, x) && out == x.shape)
      return vector_norm(x, weight, bias, numbers);
  Tensor<Real> result = standardised(x, numbers);
  if (weight != nullptr)
    result = binary(Arithmetic::mul, result, numbers.offset == 0 ? *weight : shifted(*weight, numbers.offset), out);
  return bias == nullptr ? result : binary(Arithmetic::add, result, *bias, out);
}

#define TPSIM_INSTANTIATE(Real)                                                                                 \
  template Tensor<Real> binary(Arithmetic, const Tensor<Real>&, const Tensor<Real>&, const Shape&);             \
  template Tensor<Real> scaled(const Tensor<Real>&, double);                                                    \
  template Tensor<Real> shifted(const Tensor<Real>&, double);                                                   \
  template Tensor<Real> activated(const Tensor<Real>&, std::string_view, double,                                \
                                  const std::vector<const Tensor<Real>*>&);                                     \
  template Tensor<Real> softmax(const Tensor<Real>&);                                                           \
  template Tensor<Real> normalised(const Tensor<Real>&);                                                        \
  template Tensor<Real> norm(const Tensor<Real>&, const Tensor<Real>*, const Tensor<Real>*, const NormNumbers&, \
                             const Shape&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
