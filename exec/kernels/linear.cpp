#include "exec/kernels/linear.h"

#include <Eigen/Core>
#include <type_traits>

#include "exec/kernels/packed_matrix.h"

namespace tpsim::exec {
namespace {

template <class Real>
using RowMajor = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// The row of a table for an id; -1 = the table does not hold it.
std::int64_t row_of(std::int64_t id, std::span<const Range> held, std::int64_t rows) {
  if (held.empty()) return id >= 0 && id < rows ? id : -1;
  std::int64_t before = 0;
  for (const Range& range : held) {
    if (id >= range.begin && id < range.end) return before + id - range.begin;
    before += range.size();
  }
  return -1;
}

}  // namespace

template <class Real>
void matrix_product(const Real* a, const Real* b, Real* c, std::int64_t m, std::int64_t n, std::int64_t k,
                    bool transposed) {
  if constexpr (std::is_same_v<Real, float>) return multiply_once(a, b, c, m, n, k, transposed);
  const Eigen::Map<const RowMajor<Real>> left(a, m, k);
  Eigen::Map<RowMajor<Real>> out(c, m, n);
  if (transposed)
    out.noalias() = left * Eigen::Map<const RowMajor<Real>>(b, k, n);
  else
    out.noalias() = left * Eigen::Map<const RowMajor<Real>>(b, n, k).transpose();
}

template <class Real>
Tensor<Real> linear(const Tensor<Real>& x, const Tensor<Real>& weight, const Tensor<Real>* bias, bool transposed) {
  const std::int64_t n = weight.shape[transposed ? 1 : 0], k = x.columns(), m = x.rows();
  Tensor<Real> result = make_tensor<Real>(x.shape.with(x.shape.rank() - 1, n));
  if (m > 0 && n > 0 && k > 0) {
    if constexpr (std::is_same_v<Real, float>)
      if (weight.packed != nullptr) weight.packed->multiply(x.data(), k, result.data(), n, m);
    if (weight.packed == nullptr) matrix_product(x.data(), weight.data(), result.data(), m, n, k, transposed);
  }
  if (bias == nullptr) return result;
  const bool one = bias->numel() == 1;
  for (std::int64_t row = 0; row < m; ++row)
    for (std::int64_t i = 0; i < n; ++i) result.data()[row * n + i] += bias->data()[one ? 0 : i];
  return result;
}

template <class Real>
Tensor<Real> packed(const Tensor<Real>& weight, bool transposed, bool bf16) {
  if constexpr (std::is_same_v<Real, float>) {
    const std::int64_t n = weight.shape[transposed ? 1 : 0], k = weight.shape[transposed ? 0 : 1];
    if (n > 0 && k > 0)
      return {weight.shape, nullptr, nullptr,
              std::make_shared<PackedMatrix>(weight.data(), n, k, weight.columns(), transposed, bf16)};
  }
  return weight;
}

template <class Real>
Tensor<Real> bmm(const Tensor<Real>& a, const Tensor<Real>& b) {
  const std::int64_t e = a.shape[0], m = a.shape[1], k = a.shape[2], n = b.shape[2];
  Tensor<Real> result = make_tensor<Real>(Shape{e, m, n});
  for (std::int64_t i = 0; i < e; ++i)
    matrix_product(a.data() + i * m * k, b.data() + i * k * n, result.data() + i * m * n, m, n, k, true);
  return result;
}

template <class Real>
Tensor<Real> embedding(const Tensor<Real>& ids, const Tensor<Real>& table, double scale, std::span<const Range> held) {
  Shape shape = ids.shape;
  const std::int64_t width = table.shape[1];
  shape.push_back(width);
  Tensor<Real> result = make_tensor<Real>(shape);
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    const std::int64_t row = row_of(ids.ids()[i], held, table.shape[0]);
    if (row < 0) continue;
    for (std::int64_t c = 0; c < width; ++c)
      result.data()[i * width + c] = table.data()[row * width + c] * static_cast<Real>(scale);
  }
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                                                                  \
  template void matrix_product(const Real*, const Real*, Real*, std::int64_t, std::int64_t, std::int64_t, bool); \
  template Tensor<Real> linear(const Tensor<Real>&, const Tensor<Real>&, const Tensor<Real>*, bool);             \
  template Tensor<Real> packed(const Tensor<Real>&, bool, bool);                                                 \
  template Tensor<Real> bmm(const Tensor<Real>&, const Tensor<Real>&);                                           \
  template Tensor<Real> embedding(const Tensor<Real>&, const Tensor<Real>&, double, std::span<const Range>);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
