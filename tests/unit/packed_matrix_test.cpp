#include "exec/kernels/packed_matrix.h"

#include <cmath>
#include <vector>

#include "exec/kernels/isa/vector_kernels.h"
#include "exec/kernels/workers.h"
#include "tests/catch.hpp"

namespace tpsim::exec {
namespace {

// Numbers that bf16 holds exactly.
std::vector<float> numbers(std::int64_t count, std::int64_t step) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<std::int64_t>(i) * step % 61 - 30) / 32;
  return values;
}

struct Sizes {
  std::int64_t m, n, k;
};

// Largest error of a [m, k] times b against sums in double.
double error_of_product(const Sizes& s, bool transposed, bool bf16) {
  const auto a = numbers(s.m * s.k, 7), b = numbers(s.n * s.k, 11);
  std::vector<float> c(static_cast<std::size_t>(s.m * s.n), 99);
  const PackedMatrix packed(b.data(), s.n, s.k, transposed ? s.n : s.k, transposed, bf16);
  packed.multiply(a.data(), s.k, c.data(), s.n, s.m);
  double worst = 0;
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < s.k; ++p)
        sum += double{a[static_cast<std::size_t>(i * s.k + p)]} *
               b[static_cast<std::size_t>(transposed ? p * s.n + j : j * s.k + p)];
      worst = std::max(worst, std::fabs(sum - c[static_cast<std::size_t>(i * s.n + j)]));
    }
  return worst;
}

}  // namespace

TEST_CASE("packed matrix: products of every shape, float and bf16, on one thread and on three", "[exec]") {
  for (const int threads : {1, 3}) {
    Workers workers(threads);
    const WorkersScope scope(&workers);
    for (const Sizes& s : {Sizes{1, 1, 1}, Sizes{1, 77, 300}, Sizes{5, 33, 31}, Sizes{13, 64, 64}, Sizes{45, 70, 544},
                           Sizes{600, 40, 96}})
      for (const bool transposed : {false, true})
        for (const bool bf16 : {false, true}) {
          INFO(vector_kernels().name << ": " << s.m << " x " << s.n << " x " << s.k << ", bf16 " << bf16);
          CHECK(error_of_product(s, transposed, bf16) < 1e-4);
        }
  }
}

TEST_CASE("workers: parts cover everything once, and a few items stay on one thread", "[exec]") {
  Workers workers(3);
  const WorkersScope scope(&workers);
  for (const std::int64_t count : {0, 1, 2, 3, 7, 100}) {
    std::vector<int> seen(static_cast<std::size_t>(count));
    parallel_for(count, 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    CHECK(seen == std::vector<int>(static_cast<std::size_t>(count), 1));
  }
}

}  // namespace tpsim::exec
