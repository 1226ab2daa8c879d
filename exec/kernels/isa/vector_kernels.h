// Inner loops compiled several times from one source, once per instruction set, and chosen when the program starts.
// Plain pointers only: a header with inline functions here would bring one instruction set's copies into all of tpsim.
#pragma once

#include <cstdint>

namespace tpsim::exec {

enum class Pointwise { silu, sigmoid, gelu_tanh, tanh, exp };

struct VectorKernels {
  const char* name;
  std::int64_t panel;  // columns of a packed panel

  // Panels of b for `product`: [n / panel, rounded up][k, rounded up to even][panel], zeros behind the end. b is [n, k]
  // with `stride` numbers from row to row, or [k, n] where `transposed`. Packs panels [first, last).
  void (*pack)(const float* b, float* packed, std::int64_t n, std::int64_t k, std::int64_t stride, bool transposed,
               std::int64_t first, std::int64_t last);
  // The same as bf16, two neighbours of k together: [n / panel][k / 2][panel][2]. Values must be bf16 already.
  void (*pack_bf16)(const float* b, std::uint16_t* packed, std::int64_t n, std::int64_t k, std::int64_t stride,
                    bool transposed, std::int64_t first, std::int64_t last);
  // c [m, n] = a [m, used] times the first `used` of k of the panels [first, last); only columns below n are written.
  // Strides in numbers.
  void (*product)(const float* a, std::int64_t a_stride, const float* packed, float* c, std::int64_t c_stride,
                  std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used, std::int64_t first,
                  std::int64_t last, float* room);
  void (*product_bf16)(const float* a, std::int64_t a_stride, const std::uint16_t* packed, float* c,
                       std::int64_t c_stride, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used,
                       std::int64_t first, std::int64_t last, float* room);
  std::int64_t (*room)(std::int64_t m, std::int64_t k);  // numbers that `room` of both holds

  // out [count] = rows [count, width] times x [width].
  void (*dots)(const float* rows, std::int64_t count, std::int64_t width, const float* x, float* out);
  // out [width] = the sum of rows [count, width] times their weights.
  void (*weighted_sum)(const float* rows, std::int64_t count, std::int64_t width, const float* weights, float* out);
  // x = exp(x - largest), returns the sum
  float (*exponentials)(float* x, std::int64_t n, float largest);
  float (*largest)(const float* x, std::int64_t n);
  void (*soft_cap)(float* x, std::int64_t n, float cap);  // x = cap tanh(x / cap)
  void (*map)(Pointwise function, const float* x, float* y, std::int64_t n);
  // y = (x - mean) / sqrt(variance + eps), mean 0 unless `centred`, times weight + offset, plus bias; both may be null.
  void (*norm)(const float* x, float* y, std::int64_t n, const float* weight, const float* bias, float eps,
               float offset, bool centred);
  void (*round_bf16)(float* x, std::int64_t n);
};

// Those of the best instruction set that this machine has.
const VectorKernels& vector_kernels();

}  // namespace tpsim::exec
