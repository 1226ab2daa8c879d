// A weight laid out for matrix products, once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tpsim::exec {

class PackedMatrix {
public:
  // b is [n, k] with `stride` numbers from row to row, or [k, n] where `transposed`. `bf16`: kept as bf16, which the
  // values of b must be.
  PackedMatrix(const float* b, std::int64_t n, std::int64_t k, std::int64_t stride, bool transposed, bool bf16);

  std::int64_t columns() const { return n_; }
  std::int64_t depth() const { return k_; }
  // c [m, n] = a [m, k] times the matrix, its first `depth` of k only (0 = all); sums in float. With bf16, a's values
  // must be bf16.
  void multiply(const float* a, std::int64_t a_stride, float* c, std::int64_t c_stride, std::int64_t m,
                std::int64_t depth = 0) const;

private:
  struct Free {
    void operator()(std::byte* memory) const;
  };

  std::int64_t n_, k_;
  bool bf16_;
  std::unique_ptr<std::byte[], Free> memory_;
};

// c [m, n] = a [m, k] times b, laid out as above, for products that are computed once.
void multiply_once(const float* a, const float* b, float* c, std::int64_t m, std::int64_t n, std::int64_t k,
                   bool transposed);

}  // namespace tpsim::exec
