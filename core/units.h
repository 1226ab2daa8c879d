// Quantities as types: the only way from bytes to time is through a rate.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace tpsim {

using Seconds = std::chrono::duration<double>;

struct Bytes {
  std::int64_t value = 0;
  auto operator<=>(const Bytes&) const = default;
};
struct BytesPerSecond {
  double value = 0;
  auto operator<=>(const BytesPerSecond&) const = default;
};
struct Flops {
  double value = 0;
  auto operator<=>(const Flops&) const = default;
};
struct FlopsPerSecond {
  double value = 0;
  auto operator<=>(const FlopsPerSecond&) const = default;
};

constexpr Seconds operator/(Bytes b, BytesPerSecond r) { return Seconds(static_cast<double>(b.value) / r.value); }
constexpr Seconds operator/(Flops f, FlopsPerSecond r) { return Seconds(f.value / r.value); }
constexpr double microseconds(Seconds s) { return s.count() * 1e6; }
constexpr double milliseconds(Seconds s) { return s.count() * 1e3; }

}  // namespace tpsim
