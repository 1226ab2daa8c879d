// Functions of one number, as the CPU's elementwise kernels compute them.
#pragma once

#include "exec/cuda/kernels/number.cuh"

namespace tpsim::exec::cuda {

__device__ inline float sigmoid_of(float x) { return 1.0F / (1.0F + expf(-x)); }
__device__ inline float softplus_of(float x) { return x > 20.0F ? x : log1pf(expf(x)); }
__device__ inline float gelu_tanh_of(float x) {
  constexpr float k = 0.7978845608028654F;  // sqrt(2 / pi)
  return 0.5F * x * (1.0F + tanhf(k * (x + 0.044715F * x * x * x)));
}
__device__ inline float limited(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

// Trained numbers of xIELU (arXiv 2411.13010).
struct Xielu {
  float positive = 0, negative = 0, beta = 0.5F, eps = -1e-6F;
};

__device__ inline float apply(UnaryFunction function, float x, float number, const Xielu& own) {
  switch (function) {
    case UnaryFunction::silu: return x * sigmoid_of(x);
    case UnaryFunction::gelu: return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case UnaryFunction::gelu_tanh: return gelu_tanh_of(x);
    case UnaryFunction::quick_gelu: return x * sigmoid_of(1.702F * x);
    case UnaryFunction::relu: return fmaxf(x, 0.0F);
    case UnaryFunction::relu2: return x > 0 ? x * x : 0.0F;
    case UnaryFunction::sigmoid: return sigmoid_of(x);
    case UnaryFunction::tanh: return tanhf(x);
    case UnaryFunction::rsqrt: return 1.0F / sqrtf(x);
    case UnaryFunction::exp: return expf(x);
    case UnaryFunction::softplus: return softplus_of(x);
    case UnaryFunction::identity: return x;
    case UnaryFunction::softcap: return number * tanhf(x / number);
    case UnaryFunction::clamp: return limited(x, -number, number);
    case UnaryFunction::xielu:
      return x > 0 ? own.positive * x * x + own.beta * x
                   : (expm1f(fminf(x, own.eps)) - x) * own.negative + own.beta * x;
    case UnaryFunction::scale: return x * number;
    case UnaryFunction::shift: return x + number;
  }
  return x;
}

__device__ inline float apply(BinaryFunction function, float a, float b) {
  switch (function) {
    case BinaryFunction::add: return a + b;
    case BinaryFunction::sub: return a - b;
    case BinaryFunction::mul: return a * b;
    case BinaryFunction::div: return a / b;
  }
  return a;
}

}  // namespace tpsim::exec::cuda
