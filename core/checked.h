// 64-bit arithmetic that notices overflow. Sizes come from files, so a product may not wrap.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace tpsim {

inline std::optional<std::int64_t> checked_mul(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

inline std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline constexpr std::int64_t kSaturated = std::numeric_limits<std::int64_t>::max();

// For non-negative operands: the result, or kSaturated where it does not fit.
inline std::int64_t saturating_mul(std::int64_t a, std::int64_t b) { return checked_mul(a, b).value_or(kSaturated); }
inline std::int64_t saturating_add(std::int64_t a, std::int64_t b) { return checked_add(a, b).value_or(kSaturated); }

// Of non-negative a and positive b.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace tpsim
