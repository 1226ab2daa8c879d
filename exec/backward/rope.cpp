#include "exec/backward/rope.h"

#include "exec/kernels/elementwise.h"

namespace tpsim::exec {

template <class Real>
Tensor<Real> rotated_gradient(const Tensor<Real>& gradient, const Tensor<Real>& cos, const Tensor<Real>& sin,
                              const Rotation& rotation) {
  return rotated(gradient, cos, scaled(sin, -1), rotation);
}

template Tensor<float> rotated_gradient(const Tensor<float>&, const Tensor<float>&, const Tensor<float>&,
                                        const Rotation&);
template Tensor<double> rotated_gradient(const Tensor<double>&, const Tensor<double>&, const Tensor<double>&,
                                         const Rotation&);

}  // namespace tpsim::exec
