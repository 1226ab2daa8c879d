#include "sim/training/backward_kernels.h"

#include "core/dtype.h"

namespace tpsim {
namespace {

// Flash attention computes the scores again: five products of the scores' size against two, at the lower rate that its
// authors report for it (FlashAttention-2, arXiv 2307.08691; FlashAttention-3, arXiv 2407.08608: 500-550 against
// 640-740 TFLOP/s).
constexpr double kAttentionBackward = 3;
// The fp32 sum of gradients is read and written by the product that makes a weight's gradient; 2 bytes are its own
// output.
constexpr std::int64_t kGradientSumBytes = 6;

// Two 16-bit numbers in, one out; features of one row.
constexpr std::int64_t kBytesPerSum = 6, kRowFeatures = 4096;

class Parts {
public:
  void add(const KernelCall& call, double times = 1) { out.parts[out.count++] = {call, times}; }
  BackwardKernels out;
};

KernelCall product(const KernelCall& like, std::int64_t rows, std::int64_t n, std::int64_t k) {
  KernelCall call = like;
  call.rows = rows;
  call.n = n;
  call.k = k;
  return call;
}

BackwardKernels of_product(const KernelCall& f) {
  Parts parts;
  parts.add(product(f, f.rows, f.k, f.n));
  KernelCall weight = product(f, f.n, f.k, f.rows);
  weight.weights = f.activations;
  parts.add(weight);
  KernelCall sum = moving_kernel(f.activations, kGradientSumBytes * f.n * f.k);
  sum.joined = true;
  parts.add(sum);
  return parts.out;
}

}  // namespace

KernelCall moving_kernel(DType type, std::int64_t bytes) {
  KernelCall call;
  call.kind = KernelKind::addition;
  call.weights = call.activations = call.kv_cache = call.products = type;
  call.bytes = bytes;
  call.n = kRowFeatures;
  call.rows = (bytes + kBytesPerSum * kRowFeatures - 1) / (kBytesPerSum * kRowFeatures);
  return call;
}

BackwardKernels backward_of(const KernelCall& f) {
  Parts parts;
  switch (f.kind) {
    case KernelKind::gemm: return of_product(f);
    case KernelKind::batched_gemm:
    case KernelKind::experts: parts.add(f, 2); break;
    case KernelKind::attention:
    case KernelKind::latent_attention: parts.add(f, kAttentionBackward); break;
    // Gradient and saved input in, gradient out: three tensors against two. A gated activation: five against three.
    case KernelKind::norm: parts.add(f, 1.5); break;
    case KernelKind::activation: parts.add(f, 5.0 / 3); break;
    case KernelKind::rope:
    case KernelKind::addition:
    case KernelKind::embedding:
    case KernelKind::routing:
    case KernelKind::copy: parts.add(f); break;
  }
  return parts.out;
}

}  // namespace tpsim
