#include "exec/kernels/packed_matrix.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>

#include "exec/kernels/isa/vector_kernels.h"
#include "exec/kernels/workers.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tpsim::exec {
namespace {

constexpr std::size_t kPage = 2u << 20;  // large pages: a weight is read from end to end for every token

std::byte* allocated(std::size_t bytes) {
  const std::size_t alignment = bytes >= kPage ? kPage : 64, size = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, std::max(size, alignment));
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (bytes >= kPage) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return static_cast<std::byte*>(memory);
}

// Room that products of this thread use again and again.
float* scratch(std::int64_t count) {
  thread_local std::vector<float> room;
  if (room.size() < static_cast<std::size_t>(count)) room.resize(static_cast<std::size_t>(count));
  return room.data();
}

std::int64_t panels_of(std::int64_t n) { return (n + vector_kernels().panel - 1) / vector_kernels().panel; }

// A few rows times a matrix as it lies: packing would cost more than the product.
void multiply_rows(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n, std::int64_t k) {
  parallel_for(n, worth_a_thread(m * k), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < m; ++i)
      vector_kernels().dots(b + begin * k, end - begin, k, a + i * k, c + i * n + begin);
  });
}

}  // namespace

void PackedMatrix::Free::operator()(std::byte* memory) const { std::free(memory); }

PackedMatrix::PackedMatrix(const float* b, std::int64_t n, std::int64_t k, std::int64_t stride, bool transposed,
                           bool bf16)
    : n_(n), k_(k), bf16_(bf16) {
  const VectorKernels& kernels = vector_kernels();
  const std::int64_t panels = panels_of(n), size = panels * kernels.panel * ((k + 1) / 2 * 2);
  memory_.reset(allocated(static_cast<std::size_t>(size) * (bf16 ? sizeof(std::uint16_t) : sizeof(float))));
  parallel_for(panels, worth_a_thread(k * kernels.panel), [&](std::int64_t first, std::int64_t last) {
    if (bf16)
      kernels.pack_bf16(b, reinterpret_cast<std::uint16_t*>(memory_.get()), n, k, stride, transposed, first, last);
    else
      kernels.pack(b, reinterpret_cast<float*>(memory_.get()), n, k, stride, transposed, first, last);
  });
}

void PackedMatrix::multiply(const float* a, std::int64_t a_stride, float* c, std::int64_t c_stride, std::int64_t m,
                            std::int64_t depth) const {
  const VectorKernels& kernels = vector_kernels();
  parallel_for(panels_of(n_), worth_a_thread(m * k_), [&](std::int64_t first, std::int64_t last) {
    float* room = scratch(kernels.room(m, k_));
    if (bf16_)
      kernels.product_bf16(a, a_stride, reinterpret_cast<const std::uint16_t*>(memory_.get()), c, c_stride, m, n_, k_,
                           k_, first, last, room);
    else
      kernels.product(a, a_stride, reinterpret_cast<const float*>(memory_.get()), c, c_stride, m, n_, k_,
                      depth == 0 ? k_ : depth, first, last, room);
  });
}

void multiply_once(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n, std::int64_t k,
                   bool transposed) {
  constexpr std::int64_t kFewRows = 4;
  if (m <= kFewRows && !transposed) return multiply_rows(a, b, c, m, n, k);
  PackedMatrix(b, n, k, transposed ? n : k, transposed, false).multiply(a, k, c, n, m);
}

}  // namespace tpsim::exec
