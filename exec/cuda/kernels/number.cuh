// The stored types of numbers; arithmetic is in float.
#pragma once

#include "exec/cuda/kernels/launch.cuh"
#include "exec/device_ops.h"

#ifndef __CUDACC__
#include "exec/half_bits.h"
#endif

namespace tpsim::exec::cuda {

struct Bf16 {
  std::uint16_t bits;
};
struct Fp16 {
  std::uint16_t bits;
};

#ifdef __CUDACC__
__device__ inline float widen(Bf16 x) { return __bfloat162float(__ushort_as_bfloat16(x.bits)); }
__device__ inline float widen(Fp16 x) { return __half2float(__ushort_as_half(x.bits)); }
template <class T>
struct Narrow;
template <>
struct Narrow<float> {
  __device__ static float of(float x) { return x; }
};
template <>
struct Narrow<Bf16> {
  __device__ static Bf16 of(float x) { return {__bfloat16_as_ushort(__float2bfloat16_rn(x))}; }
};
template <>
struct Narrow<Fp16> {
  __device__ static Fp16 of(float x) { return {__half_as_ushort(__float2half_rn(x))}; }
};
#else
inline float widen(Bf16 x) { return of_bf16(x.bits); }
inline float widen(Fp16 x) { return of_fp16(x.bits); }
template <class T>
struct Narrow;
template <>
struct Narrow<float> {
  static float of(float x) { return x; }
};
template <>
struct Narrow<Bf16> {
  static Bf16 of(float x) { return {bf16_bits(x)}; }
};
template <>
struct Narrow<Fp16> {
  static Fp16 of(float x) { return {fp16_bits(x)}; }
};
#endif
__device__ inline float widen(float x) { return x; }

template <class T>
__device__ inline T narrow(float x) {
  return Narrow<T>::of(x);
}

// Calls f(T{}) for the stored type.
template <class F>
void with_stored(Stored stored, F f) {
  switch (stored) {
    case Stored::fp32: return f(float{});
    case Stored::bf16: return f(Bf16{});
    case Stored::fp16: return f(Fp16{});
  }
}

}  // namespace tpsim::exec::cuda
