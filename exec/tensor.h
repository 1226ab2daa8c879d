// A dense row-major tensor in memory: real numbers (computed in `Real`, float or double) or whole numbers (ids,
// positions, routes). Copies share the values; a tensor whose values are shared is never written to.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/shape.h"

namespace tpsim::exec {

class PackedMatrix;

template <class Real>
struct Tensor {
  Shape shape;
  std::shared_ptr<std::vector<Real>> real;  // null where the tensor holds whole numbers
  std::shared_ptr<std::vector<std::int64_t>> whole;
  std::shared_ptr<const PackedMatrix> packed = nullptr;  // a weight for `linear` alone, which then has no `real`

  bool empty() const { return real == nullptr && whole == nullptr && packed == nullptr; }
  Real* data() { return real->data(); }
  const Real* data() const { return real->data(); }
  const std::int64_t* ids() const { return whole->data(); }
  std::int64_t numel() const { return shape.numel(); }
  // Product of the extents but the last.
  std::int64_t rows() const { return columns() == 0 ? 0 : numel() / columns(); }
  std::int64_t columns() const { return shape.rank() == 0 ? 1 : shape[-1]; }
};

template <class Real>
Tensor<Real> make_tensor(const Shape& shape) {
  return {shape, std::make_shared<std::vector<Real>>(static_cast<std::size_t>(shape.numel())), nullptr};
}

// Zeros of the same kind as `x`.
template <class Real>
Tensor<Real> make_like(const Tensor<Real>& x, const Shape& shape) {
  const auto size = static_cast<std::size_t>(shape.numel());
  if (x.whole == nullptr) return make_tensor<Real>(shape);
  return {shape, nullptr, std::make_shared<std::vector<std::int64_t>>(size)};
}

template <class Real>
Tensor<Real> make_ids(const Shape& shape, std::vector<std::int64_t> values) {
  return {shape, nullptr, std::make_shared<std::vector<std::int64_t>>(std::move(values))};
}

// The same values under another shape of as many elements.
template <class Real>
Tensor<Real> viewed(const Tensor<Real>& x, const Shape& shape) {
  return {shape, x.real, x.whole};
}

}  // namespace tpsim::exec
