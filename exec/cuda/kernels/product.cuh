// A plain matrix product, one thread per number: where no library does it, as in the emulation.
#pragma once

#include "exec/cuda/kernels/number.cuh"

namespace tpsim::exec::cuda {

template <class T>
__global__ void product_kernel(ProductOp op) {
  const T *a = static_cast<const T*>(op.a), *b = static_cast<const T*>(op.b), *bias = static_cast<const T*>(op.bias);
  for (std::int64_t i = first_element(); i < op.batch * op.m * op.n; i += element_step()) {
    const std::int64_t column = i % op.n, row = i / op.n, batch = row / op.m;
    const T* matrix = b + batch * op.n * op.k;
    float sum = 0;
    for (std::int64_t k = 0; k < op.k; ++k)
      sum += widen(a[row * op.k + k]) * widen(matrix[op.transposed ? k * op.n + column : column * op.k + k]);
    static_cast<T*>(op.c)[i] = narrow<T>(bias == nullptr ? sum : sum + widen(bias[column]));
  }
}

inline void launch_product(const ProductOp& op, Stream stream) {
  if (op.batch * op.m * op.n == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(product_kernel<T>, blocks_for(op.batch * op.m * op.n), kThreads, 0, stream, op);
  });
}

}  // namespace tpsim::exec::cuda
