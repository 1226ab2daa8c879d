// Elementwise kernels with torch's broadcasting, activation functions by name, softmax and norms over the last
// dimension.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

enum class Arithmetic { add, sub, mul, div };
// `out`: the broadcast shape.
template <class Real>
Tensor<Real> binary(Arithmetic op, const Tensor<Real>& a, const Tensor<Real>& b, const Shape& out);
template <class Real>
Tensor<Real> scaled(const Tensor<Real>& x, double factor);
template <class Real>
Tensor<Real> shifted(const Tensor<Real>& x, double by);

// Whether a function of one number is known by this name ("silu", "gelu_pytorch_tanh", "softcap" ...).
bool is_known_activation(std::string_view name);
// `number`: the limit of "softcap" and "clamp". `own`: the function's own tensors ("xielu").
template <class Real>
Tensor<Real> activated(const Tensor<Real>& x, std::string_view name, double number,
                       const std::vector<const Tensor<Real>*>& own);

template <class Real>
Tensor<Real> softmax(const Tensor<Real>& x);
// x / sum over the last dimension.
template <class Real>
Tensor<Real> normalised(const Tensor<Real>& x);

struct NormNumbers {
  bool centred = false;  // layer norm: the mean is taken off first
  double eps = 0;
  double offset = 0;  // of the weight
};
// Null weight or bias: none. `out`: x's shape, or wider where a weight has more columns.
template <class Real>
Tensor<Real> norm(const Tensor<Real>& x, const Tensor<Real>* weight, const Tensor<Real>* bias,
                  const NormNumbers& numbers, const Shape& out);

}  // namespace tpsim::exec
