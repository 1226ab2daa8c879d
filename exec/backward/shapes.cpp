#include "exec/backward/shapes.h"

#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {
namespace {

int wrapped(int dim, int rank) { return dim < 0 ? dim + rank : dim; }

// The same values with an extent taken apart in two.
Shape with_two(const Shape& shape, int dim, std::int64_t first, std::int64_t second) {
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    result.push_back(i == dim ? first : shape[i]);
    if (i == dim) result.push_back(second);
  }
  return result;
}

}  // namespace

template <class Real>
Tensor<Real> slice_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim, Range range) {
  dim = wrapped(dim, shape.rank());
  const Tensor<Real> before = make_tensor<Real>(shape.with(dim, range.begin)),
                     after = make_tensor<Real>(shape.with(dim, shape[dim] - range.end));
  return concat<Real>({&before, &gradient, &after}, dim);
}

template <class Real>
std::vector<Tensor<Real>> concat_gradients(const Tensor<Real>& gradient, const std::vector<const Tensor<Real>*>& parts,
                                           int dim) {
  std::vector<Tensor<Real>> result;
  std::int64_t begin = 0;
  for (const Tensor<Real>* part : parts) {
    const std::int64_t end = begin + part->shape[dim];
    result.push_back(slice(gradient, dim, {begin, end}));
    begin = end;
  }
  return result;
}

template <class Real>
Tensor<Real> repeat_each_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim, std::int64_t n) {
  return sum_over(viewed(gradient, with_two(shape, dim, shape[dim], n)), dim + 1, false);
}

template <class Real>
Tensor<Real> sum_gradient(const Tensor<Real>& gradient, const Shape& shape, int dim) {
  dim = wrapped(dim, shape.rank());
  return repeat_each(viewed(gradient, shape.with(dim, 1)), dim, shape[dim]);
}

template <class Real>
Tensor<Real> relative_bias_gradient(const Tensor<Real>& gradient, const Shape& shape) {
  Tensor<Real> result = make_tensor<Real>(shape);
  const std::int64_t queries = shape[-2], distances = shape[-1], keys = gradient.columns();
  for (std::int64_t row = 0; row < result.rows(); ++row) {
    const std::int64_t position = row % queries;
    for (std::int64_t k = 0; k <= position; ++k)
      if (position - k < distances) result.data()[row * distances + position - k] = gradient.data()[row * keys + k];
  }
  return result;
}

template <class Real>
Tensor<Real> previous_gradient(const Tensor<Real>& gradient) {
  const std::int64_t length = gradient.shape[1];
  return slice_gradient(slice(gradient, 1, {1, length}), gradient.shape, 1, {0, length - 1});
}

#define TPSIM_INSTANTIATE(Real)                                                                                     \
  template Tensor<Real> slice_gradient(const Tensor<Real>&, const Shape&, int, Range);                              \
  template std::vector<Tensor<Real>> concat_gradients(const Tensor<Real>&, const std::vector<const Tensor<Real>*>&, \
                                                      int);                                                         \
  template Tensor<Real> repeat_each_gradient(const Tensor<Real>&, const Shape&, int, std::int64_t);                 \
  template Tensor<Real> sum_gradient(const Tensor<Real>&, const Shape&, int);                                       \
  template Tensor<Real> relative_bias_gradient(const Tensor<Real>&, const Shape&);                                  \
  template Tensor<Real> previous_gradient(const Tensor<Real>&);
TPSIM_INSTANTIATE(float)
TPSIM_INSTANTIATE(double)
#undef TPSIM_INSTANTIATE

}  // namespace tpsim::exec
