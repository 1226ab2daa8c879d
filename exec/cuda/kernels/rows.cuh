// One block per row: softmax, division by the sum, norms.
#pragma once

#include "exec/cuda/kernels/number.cuh"

namespace tpsim::exec::cuda {

struct Sum {
  static constexpr float kStart = 0;
  __device__ static float of(float a, float b) { return a + b; }
};
struct Most {
  static constexpr float kStart = -3.402823466e38F;
  __device__ static float of(float a, float b) { return a > b ? a : b; }
};

template <class Reduction>
__device__ float over_warp(float value) {
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2)
    value = Reduction::of(value, __shfl_xor_sync(0xFFFFFFFFu, value, mask));
  return value;
}

// Of all threads of the block, on each of them.
template <class Reduction>
__device__ float over_block(float value) {
  __shared__ float of_warp[kThreads / kWarp];
  value = over_warp<Reduction>(value);
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  float all = of_warp[0];
  for (unsigned w = 1; w < blockDim.x / kWarp; ++w) all = Reduction::of(all, of_warp[w]);
  __syncthreads();
  return all;
}

template <class T>
__global__ void rows_kernel(RowsOp op) {
  for (std::int64_t row = blockIdx.x; row < op.rows; row += gridDim.x) {
    const T* from = static_cast<const T*>(op.from) + row * op.columns;
    T* to = static_cast<T*>(op.to) + row * op.columns;
    const bool softmax = op.function == RowFunction::softmax;
    float most = Most::kStart, sum = 0;
    for (std::int64_t i = threadIdx.x; softmax && i < op.columns; i += blockDim.x)
      most = Most::of(most, widen(from[i]));
    if (softmax) most = over_block<Most>(most);
    for (std::int64_t i = threadIdx.x; i < op.columns; i += blockDim.x)
      sum += softmax ? expf(widen(from[i]) - most) : widen(from[i]);
    sum = over_block<Sum>(sum);
    for (std::int64_t i = threadIdx.x; i < op.columns; i += blockDim.x)
      to[i] = narrow<T>((softmax ? expf(widen(from[i]) - most) : widen(from[i])) / sum);
  }
}

// Threads for rows of so many columns: whole warps.
inline unsigned threads_for(std::int64_t columns) {
  const std::int64_t warps = (columns + kWarp - 1) / kWarp;
  return kWarp * static_cast<unsigned>(warps < 1 ? 1 : warps > kThreads / kWarp ? kThreads / kWarp : warps);
}

inline void launch_rows(const RowsOp& op, Stream stream) {
  if (op.rows * op.columns == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(rows_kernel<T>, blocks_for(op.rows, 1), threads_for(op.columns), 0, stream, op);
  });
}

template <class T>
__global__ void norm_kernel(NormOp op) {
  const T *weight = static_cast<const T*>(op.weight), *bias = static_cast<const T*>(op.bias);
  const float offset = static_cast<float>(op.offset), n = static_cast<float>(op.columns);
  for (std::int64_t row = blockIdx.x; row < op.rows; row += gridDim.x) {
    const T* from = static_cast<const T*>(op.from) + row * op.columns;
    T* to = static_cast<T*>(op.to) + row * op.columns;
    float mean = 0, square = 0;
    for (std::int64_t i = threadIdx.x; op.centred && i < op.columns; i += blockDim.x) mean += widen(from[i]);
    if (op.centred) mean = over_block<Sum>(mean) / n;
    for (std::int64_t i = threadIdx.x; i < op.columns; i += blockDim.x) {
      const float x = widen(from[i]) - mean;
      square += x * x;
    }
    const float factor = 1.0F / sqrtf(over_block<Sum>(square) / n + static_cast<float>(op.eps));
    for (std::int64_t i = threadIdx.x; i < op.columns; i += blockDim.x) {
      float x = (widen(from[i]) - mean) * factor;
      if (weight != nullptr) x *= widen(weight[i]) + offset;
      if (bias != nullptr) x += widen(bias[i]);
      to[i] = narrow<T>(x);
    }
  }
}

inline void launch_norm(const NormOp& op, Stream stream) {
  if (op.rows * op.columns == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(norm_kernel<T>, blocks_for(op.rows, 1), threads_for(op.columns), 0, stream, op);
  });
}

}  // namespace tpsim::exec::cuda
