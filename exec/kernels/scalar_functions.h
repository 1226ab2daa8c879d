// Functions of one number that kernels and their way back share.
#pragma once

#include <cmath>

namespace tpsim::exec {

template <class Real>
Real sigmoid(Real x) {
  return Real(1) / (Real(1) + std::exp(-x));
}

// Linear above 20, as torch's.
template <class Real>
Real softplus(Real x) {
  return x > Real(20) ? x : std::log1p(std::exp(x));
}

}  // namespace tpsim::exec
