#include "exec/kernels/shape_kernels.h"

#include <algorithm>

#include "exec/kernels/workers.h"

namespace tpsim::exec {
namespace {

// A tensor seen along one dimension: outer x extent x inner.
struct Blocks {
  std::int64_t outer = 1, extent = 1, inner = 1;
};

Blocks blocks_of(const Shape& shape, int dim) {
  Blocks b;
  for (int i = 0; i < shape.rank(); ++i) (i < dim ? b.outer : i == dim ? b.extent : b.inner) *= shape[i];
  return b;
}

int wrapped(int dim, int rank) { return dim < 0 ? dim + rank : dim; }

// f(source values, destination values) for the kind of values that x holds.
template <class Real, class F>
Tensor<Real> map_values(const Tensor<Real>& x, const Shape& shape, F f) {
  Tensor<Real> result{shape, nullptr, nullptr};
  const auto size = static_cast<std::size_t>(shape.numel());
  if (x.whole != nullptr) {
    result.whole = std::make_shared<std::vector<std::int64_t>>(size);
    f(x.whole->data(), result.whole->data());
  } else {
    result.real = std::make_shared<std::vector<Real>>(size);
    f(x.real->data(), result.real->data());
  }
  return result;
}

}  // namespace

template <class Real>
Tensor<Real> transpose(const Tensor<Real>& x, int a, int b) {
  a = wrapped(a, x.shape.rank());
  b = wrapped(b, x.shape.rank());
  if (a > b) std::swap(a, b);
  Shape shape = x.shape;
  std::swap(shape[a], shape[b]);
  if (a == b) return x;
  // [outer, A, middle, B, inner] -> [outer, B, middle, A, inner]
  std::int64_t outer = 1, middle = 1, inner = 1;
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != a && i != b) (i < a ? outer : i < b ? middle : inner) *= x.shape[i];
  const std::int64_t ea = x.shape[a], eb = x.shape[b];
  return map_values(x, shape, [&](const auto* from, auto* to) {
    parallel_for(outer * eb, worth_a_thread(middle * ea * inner), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        for (std::int64_t m = 0; m < middle; ++m)
          for (std::int64_t i = 0; i < ea; ++i) {
            const auto* source = from + (((r / eb * ea + i) * middle + m) * eb + r % eb) * inner;
            std::copy(source, source + inner, to + ((r * middle + m) * ea + i) * inner);
          }
    });
  });
}

template <class Real>
Tensor<Real> slice(const Tensor<Real>& x, int dim, Range range) {
  dim = wrapped(dim, x.shape.rank());
  if (range.begin == 0 && range.end == x.shape[dim]) return x;
  const Blocks b = blocks_of(x.shape, dim);
  return map_values(x, x.shape.with(dim, range.size()), [&](const auto* from, auto* to) {
    for (std::int64_t o = 0; o < b.outer; ++o) {
      const auto* row = from + o * b.extent * b.inner;
      to = std::copy(row + range.begin * b.inner, row + range.end * b.inner, to);
    }
  });
}

template <class Real>
Tensor<Real> concat(const std::vector<const Tensor<Real>*>& parts, int dim) {
  Shape shape = parts.front()->shape;
  dim = wrapped(dim, shape.rank());
  shape[dim] = 0;
  for (const Tensor<Real>* part : parts) shape[dim] += part->shape[dim];
  const Blocks whole = blocks_of(shape, dim);
  Tensor<Real> result = map_values(*parts.front(), shape, [](const auto*, auto*) {});
  std::int64_t at = 0;
  for (const Tensor<Real>* part : parts) {
    const std::int64_t width = part->shape[dim] * whole.inner, stride = whole.extent * whole.inner;
    const auto fill = [&](const auto& from, auto& to) {
      for (std::int64_t o = 0; o < whole.outer; ++o)
        std::copy_n(from->begin() + o * width, width, to->begin() + o * stride + at);
    };
    if (part->whole != nullptr && result.whole != nullptr)
      fill(part->whole, result.whole);
    else
      fill(part->real, result.real);
    at += width;
  }
  return result;
}

template <class Real>
void put(const Tensor<Real>& x, Tensor<Real>& to, int dim, std::int64_t begin) {
  const Blocks from = blocks_of(x.shape, dim), whole = blocks_of(to.shape, dim);
  const std::int64_t width = from.extent * from.inner;
  for (std::int64_t o = 0; o < whole.outer; ++o)
    std::copy_n(x.data() + o * width, width, to.data() + (o * whole.extent + begin) * whole.inner);
}

template <class Real>
Tensor<Real> expand(const Tensor<Real>& x, const Shape& shape) {
  Tensor<Real> result = x;
  for (int i = 0; i < shape.rank(); ++i)
    if (result.shape[i] == 1 && shape[i] != 1) result = repeat_each(result, i, shape[i]);
  return result;
}

template <class Real>
Tensor<Real> repeat_each(const Tensor<Real>& x, int dim, std::int64_t n) {
  if (n == 1) return x;
  const Blocks b = blocks_of(x.shape, dim);
  return map_values(x, x.shape.with(dim, x.shape[dim] * n), [&](const auto* from, auto* to) {
    for (std::int64_t i = 0; i < b.outer * b.extent; ++i)
      for (std::int64_t k = 0; k < n; ++k) to = std::copy_n(from + i * b.inner, b.inner, to);
  });
}

template <class Real>
Tensor<Real> tile_rows(const Tensor<Real>& x, std::int64_t n) {
  return map_values(x, x.shape.with(0, x.shape[0] * n), [&](const auto* from, auto* to) {
    for (std::int64_t k = 0; k < n; ++k) to = std::copy_n(from, x.numel(), to);
  });
}

template <class Real>
Tensor<Real> sum_over(const Tensor<Real>& x, int dim, bool keep) {
  dim = wrapped(dim, x.shape.rank());
  const Blocks b = blocks_of(x.shape, dim);
  Shape shape;
  for (int i = 0; i < x.shape.rank(); ++i)
    if (i != dim || keep) shape.push_back(i == dim ? 1 : x.shape[i]);
  Tensor<Real> result = make_tensor<Real>(shape);
  for (std::int64_t o = 0; o < b.outer; ++o)
    for (std::int64_t e = 0; e < b.extent; ++e)
      for (std::int64_t i = 0; i < b.inner; ++i)
        result.data()[o * b.inner + i] += x.data()[(o * b.extent + e) * b.inner + i];
  return result;
}

template <class Real>
Tensor<Real> relative_bias(const Tensor<Real>& x, std::int64_t past) {
  const std::int64_t queries = x.shape[-2], distances = x.shape[-1], keys = queries + past;
  Tensor<Real> result = make_tensor<Real>(x.shape.with(-1, keys));
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const std::int64_t position = past + row % queries;
    for (std::int64_t k = 0; k <= position; ++k)
      if (position - k < distances) result.data()[row * keys + k] = x.data()[row * distances + position - k];
  }
  return result;
}

#define TPSIM_INSTANTIATE(Real)                                               \
  template Tensor<Real> transpose(const Tensor<Real>&, int, int);             \
  template Tensor<Real> slice(const Tensor<Real>&, int, Range);               \
  template Tensor<Real> concat(const std::vector<const Tensor<Real>*>&, int); \
  template void put(const Tensor<Real>&, Tensor<Real>&, int, std::int64_t);   \
  template Tensor<Real> expand(const Tensor<Real>&, const Shape&);            \
  template Tensor<Real> repeat_each(const Tensor<Real>&, int, std::int64_t);  \
  template Tensor<Real> tile_rows(const Tensor<Real>&, std::int64_t);         \
  template Tensor<Real> sum_over(const Tensor<Real>&, int, bool);             \
  template Tensor<Real> relative_bias(const Tensor<Real>&, std::int64_t);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
