// bf16 and fp16 as 16 bits, on the CPU.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace tpsim::exec {

inline float of_bf16(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float of_fp16(std::uint16_t half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  const int steps = exponent == 0 ? mantissa : mantissa + 1024;
  return sign * std::ldexp(static_cast<float>(steps), (exponent == 0 ? 1 : exponent) - 25);
}

// To the nearest, ties to even.
inline std::uint16_t bf16_bits(float x) {
  if (std::isnan(x)) return 0x7FFF;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

inline std::uint16_t fp16_bits(float x) {
  const int sign = std::signbit(x) ? 0x8000 : 0;
  const float size = std::fabs(x);
  if (std::isnan(x)) return 0x7FFF;
  if (size >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7C00);
  const int exponent = size < 6.103515625e-5F ? -14 : std::ilogb(size);
  const int steps = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));  // 1024 .. 2048; fewer below
  return static_cast<std::uint16_t>(sign | (((exponent + 15) << 10) + steps - 1024));
}

}  // namespace tpsim::exec
