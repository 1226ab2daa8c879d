// Vectors of the instruction set that a file is compiled for. Included by sources of this folder only.
#pragma once

#include <cstdint>

#include "exec/kernels/isa/vector_kernels.h"

namespace tpsim::exec {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 12;
#elif defined(__AVX2__)
constexpr int kLanes = 8, kRows = 6;
#else
constexpr int kLanes = 4, kRows = 4;
#endif
constexpr int kPanel = 2 * kLanes;

using Vec = float __attribute__((vector_size(4 * kLanes)));
using Int = std::int32_t __attribute__((vector_size(4 * kLanes)));

template <class V>
[[gnu::always_inline]] inline V load_as(const void* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
[[gnu::always_inline]] inline Vec load(const float* from) { return load_as<Vec>(from); }
[[gnu::always_inline]] inline void store(float* to, Vec v) { __builtin_memcpy(to, &v, sizeof v); }
[[gnu::always_inline]] inline Int bits_of(Vec v) { return load_as<Int>(&v); }
[[gnu::always_inline]] inline Vec from_bits(Int v) { return load_as<Vec>(&v); }
[[gnu::always_inline]] inline Vec splat(float x) { return Vec{} + x; }
[[gnu::always_inline]] inline Vec pick(Int where, Vec a, Vec b) {
  return from_bits((where & bits_of(a)) | (~where & bits_of(b)));
}
[[gnu::always_inline]] inline Vec larger(Vec a, Vec b) { return pick(a > b, a, b); }
[[gnu::always_inline]] inline Vec smaller(Vec a, Vec b) { return pick(a < b, a, b); }

[[gnu::always_inline]] inline float sum_of(Vec v) {
  float part[kLanes];
  __builtin_memcpy(part, &v, sizeof part);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
}

constexpr std::int64_t low_of(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

// f(vector index, lanes that count) over n numbers.
template <class F>
[[gnu::always_inline]] inline void each_vector(std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}
[[gnu::always_inline]] inline Vec load_some(const float* from, int count, float rest) {
  if (count == kLanes) return load(from);
  Vec v = splat(rest);
  __builtin_memcpy(&v, from, sizeof(float) * static_cast<unsigned>(count));
  return v;
}
[[gnu::always_inline]] inline void store_some(float* to, Vec v, int count) {
  __builtin_memcpy(to, &v, sizeof(float) * static_cast<unsigned>(count));
}

// e^x: x = n ln 2 + r, polynomial of r (Cephes expf), error below 2 units in the last place; 0 below -87.3.
[[gnu::always_inline]] inline Vec exp_of(Vec x) {
  const Vec top = splat(88.7228F), bottom = splat(-87.33F);
  const Int vanishes = x<bottom, is_nan = x != x, grows = x> top;
  x = smaller(larger(x, bottom), top);
  const Vec magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vec n = (x * 1.44269504F + magic) - magic;
  Vec r = x - n * 0.693359375F;
  r = r - n * -2.12194440e-4F;
  Vec p = splat(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Int power = __builtin_convertvector(n, Int);
  const Int half = power >> 1;  // in two steps: 2^128 is no float
  Vec y = p * from_bits((half + 127) << 23) * from_bits((power - half + 127) << 23);
  y = pick(vanishes, Vec{}, y);
  y = pick(grows, splat(__builtin_inff()), y);
  return pick(is_nan, splat(__builtin_nanf("")), y);
}

[[gnu::always_inline]] inline Vec sigmoid_of(Vec x) { return 1.0F / (1.0F + exp_of(-x)); }

// Cephes tanhf: a polynomial near 0, else by e^2x.
[[gnu::always_inline]] inline Vec tanh_of(Vec x) {
  const Vec size = from_bits(bits_of(x) & 0x7FFFFFFF);
  const Vec far = 1.0F - 2.0F / (exp_of(size * 2.0F) + 1.0F);
  const Vec z = x * x;
  Vec p = splat(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z + -5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z + -3.33332819422e-1F;
  const Vec near = x + x * z * p;
  const Vec signed_far = from_bits(bits_of(far) | (bits_of(x) & Int(Int{} + INT32_MIN)));
  return pick(size < 0.625F, near, signed_far);
}

// To nearest, ties to even; not-a-number stays.
[[gnu::always_inline]] inline Int bf16_bits(Vec x) {
  const Int bits = bits_of(x);
  return (bits + 0x7FFF + ((bits >> 16) & 1)) & static_cast<std::int32_t>(0xFFFF0000);
}

}  // namespace
}  // namespace tpsim::exec
