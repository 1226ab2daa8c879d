// Compiled once per instruction set; TPSIM_ISA is its name.
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "exec/kernels/isa/lanes.h"
#include "exec/kernels/isa/products.h"

namespace tpsim::exec {
namespace {

[[gnu::always_inline]] inline float dot(const float* a, const float* b, std::int64_t n) {
  Vec sum[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    for (int u = 0; u < 4; ++u) sum[u] += load(a + i + u * kLanes) * load(b + i + u * kLanes);
  each_vector(n - i, [&](std::int64_t j, int count) {
    sum[0] += load_some(a + i + j, count, 0) * load_some(b + i + j, count, 0);
  });
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

void dots(const float* rows, std::int64_t count, std::int64_t width, const float* x, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = dot(rows + i * width, x, width);
}

void weighted_sum(const float* rows, std::int64_t count, std::int64_t width, const float* weights, float* out) {
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= width; c += 4 * kLanes) {
    Vec sum[4] = {};
    for (std::int64_t i = 0; i < count; ++i)
      for (int u = 0; u < 4; ++u) sum[u] += weights[i] * load(rows + i * width + c + u * kLanes);
    for (int u = 0; u < 4; ++u) store(out + c + u * kLanes, sum[u]);
  }
  each_vector(width - c, [&](std::int64_t at, int some) {
    Vec sum{};
    for (std::int64_t i = 0; i < count; ++i) sum += weights[i] * load_some(rows + i * width + c + at, some, 0);
    store_some(out + c + at, sum, some);
  });
}

float exponentials(float* x, std::int64_t n, float most) {
  Vec sum{};
  each_vector(n, [&](std::int64_t i, int count) {
    const Vec y = exp_of(load_some(x + i, count, -__builtin_inff()) - most);
    store_some(x + i, y, count);
    sum += y;
  });
  return sum_of(sum);
}

float largest(const float* x, std::int64_t n) {
  Vec most = splat(-__builtin_inff());
  each_vector(n, [&](std::int64_t i, int count) { most = larger(load_some(x + i, count, -__builtin_inff()), most); });
  float result = most[0];
  for (int i = 1; i < kLanes; ++i) result = most[i] > result ? most[i] : result;
  return result;
}

void soft_cap(float* x, std::int64_t n, float cap) {
  each_vector(
      n, [&](std::int64_t i, int count) { store_some(x + i, cap * tanh_of(load_some(x + i, count, 0) / cap), count); });
}

Vec gelu_tanh(Vec x) {
  const Vec inner = 0.7978845608028654F * (x + 0.044715F * x * x * x);
  return x * sigmoid_of(2.0F * inner);  // (1 + tanh u) / 2 = sigmoid(2 u)
}

template <class F>
void map_with(const float* x, float* y, std::int64_t n, F f) {
  each_vector(n, [&](std::int64_t i, int count) { store_some(y + i, f(load_some(x + i, count, 0)), count); });
}

void map(Pointwise function, const float* x, float* y, std::int64_t n) {
  switch (function) {
    case Pointwise::silu: return map_with(x, y, n, [](Vec v) { return v / (1.0F + exp_of(-v)); });
    case Pointwise::sigmoid: return map_with(x, y, n, [](Vec v) { return sigmoid_of(v); });
    case Pointwise::gelu_tanh: return map_with(x, y, n, [](Vec v) { return gelu_tanh(v); });
    case Pointwise::tanh: return map_with(x, y, n, [](Vec v) { return tanh_of(v); });
    case Pointwise::exp: return map_with(x, y, n, [](Vec v) { return exp_of(v); });
  }
}

void norm(const float* x, float* y, std::int64_t n, const float* weight, const float* bias, float eps, float offset,
          bool centred) {
  const float count = static_cast<float>(n);
  float mean = 0;
  if (centred) {
    Vec sum{};
    each_vector(n, [&](std::int64_t i, int some) { sum += load_some(x + i, some, 0); });
    mean = sum_of(sum) / count;
  }
  Vec squares{};
  each_vector(n, [&](std::int64_t i, int some) {
    const Vec d = load_some(x + i, some, mean) - mean;
    squares += d * d;
  });
  const float factor = 1.0F / __builtin_sqrtf(sum_of(squares) / count + eps);
  each_vector(n, [&](std::int64_t i, int some) {
    Vec v = (load_some(x + i, some, 0) - mean) * factor;
    if (weight != nullptr) v = v * (load_some(weight + i, some, 0) + offset);
    if (bias != nullptr) v = v + load_some(bias + i, some, 0);
    store_some(y + i, v, some);
  });
}

void round_bf16(float* x, std::int64_t n) {
  each_vector(n, [&](std::int64_t i, int count) {
    store_some(x + i, from_bits(bf16_bits(load_some(x + i, count, 0))), count);
  });
}

}  // namespace

#define TPSIM_NAME_OF(isa) kernels_##isa
#define TPSIM_NAME(isa) TPSIM_NAME_OF(isa)
#define TPSIM_TEXT_OF(isa) #isa
#define TPSIM_TEXT(isa) TPSIM_TEXT_OF(isa)

const VectorKernels& TPSIM_NAME(TPSIM_ISA)();
const VectorKernels& TPSIM_NAME(TPSIM_ISA)() {
  static constexpr VectorKernels kKernels{
      TPSIM_TEXT(TPSIM_ISA), kPanel,       pack,    pack_bf16, product, product_bf16, room,      dots,
      weighted_sum,          exponentials, largest, soft_cap,  map,     norm,         round_bf16};
  return kKernels;
}

}  // namespace tpsim::exec
