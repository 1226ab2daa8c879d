// Products of 16 x 16 tiles by one warp: tensor cores for 16-bit numbers on GPUs, plain arithmetic for fp32 and in the
// emulation.
#pragma once

#include "exec/cuda/kernels/number.cuh"

#ifdef __CUDACC__
#include <mma.h>
#endif

namespace tpsim::exec::cuda {

constexpr int kTile = 16;

// A tile's sums, spread over the threads of a warp. Operands and results lie in shared memory: row r of `a` at
// a + r * stride; `b` as [inner, columns], or as [columns, inner] where `by_columns`.
template <class T>
class TileSum {
public:
  __device__ void clear() {
    for (float& x : sums_) x = 0;
  }
  __device__ void load(const float* from, int stride) {
    for (int i = 0; i < kHeld; ++i) sums_[i] = from[row() * stride + column(i)];
  }
  template <bool by_columns>
  __device__ void add_product(const T* a, int a_stride, const T* b, int b_stride) {
    for (int k = 0; k < kTile; ++k) {
      const float x = widen(a[row() * a_stride + k]);
      for (int i = 0; i < kHeld; ++i)
        sums_[i] += x * widen(by_columns ? b[column(i) * b_stride + k] : b[k * b_stride + column(i)]);
    }
  }
  __device__ void store(float* to, int stride) const {
    for (int i = 0; i < kHeld; ++i) to[row() * stride + column(i)] = sums_[i];
  }

private:
  static constexpr int kHeld = kTile * kTile / 32;
  __device__ static int lane() { return static_cast<int>(threadIdx.x % kWarp); }
  __device__ static int row() { return lane() / 2; }
  __device__ static int column(int i) { return lane() % 2 + 2 * i; }
  float sums_[kHeld];
};

#ifdef __CUDACC__
// `Own`: the stored type, `Cuda`: the same as CUDA's intrinsics name it.
template <class Own, class Cuda>
class TensorCoreSum {
public:
  __device__ void clear() { nvcuda::wmma::fill_fragment(sums_, 0.0F); }
  __device__ void load(const float* from, int stride) {
    nvcuda::wmma::load_matrix_sync(sums_, from, static_cast<unsigned>(stride), nvcuda::wmma::mem_row_major);
  }
  template <bool by_columns>
  __device__ void add_product(const Own* a, int a_stride, const Own* b, int b_stride) {
    using namespace nvcuda::wmma;
    fragment<matrix_a, kTile, kTile, kTile, Cuda, row_major> left;
    fragment<matrix_b, kTile, kTile, kTile, Cuda, std::conditional_t<by_columns, col_major, row_major>> right;
    load_matrix_sync(left, reinterpret_cast<const Cuda*>(a), static_cast<unsigned>(a_stride));
    load_matrix_sync(right, reinterpret_cast<const Cuda*>(b), static_cast<unsigned>(b_stride));
    mma_sync(sums_, left, right, sums_);
  }
  __device__ void store(float* to, int stride) const {
    nvcuda::wmma::store_matrix_sync(to, sums_, static_cast<unsigned>(stride), nvcuda::wmma::mem_row_major);
  }

private:
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, kTile, kTile, kTile, float> sums_;
};
template <>
class TileSum<Bf16> : public TensorCoreSum<Bf16, __nv_bfloat16> {};
template <>
class TileSum<Fp16> : public TensorCoreSum<Fp16, __half> {};
#endif

}  // namespace tpsim::exec::cuda
