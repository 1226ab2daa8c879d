#include "exec/tensor_broadcast.h"

#include <array>
#include <type_traits>

namespace tpsim::exec {
namespace {

// What the others must know to make room: dimensions (-1 = no tensor) and extents.
using Form = std::array<std::int64_t, 1 + Shape::kMaxRank>;

template <class Real>
Form form_of(const Tensor<Real>* x) {
  Form form{-1};
  if (x == nullptr || x->real == nullptr) return form;
  form[0] = x->shape.rank();
  for (int i = 0; i < x->shape.rank(); ++i) form[static_cast<std::size_t>(i) + 1] = x->shape[i];
  return form;
}

Shape shape_of(const Form& form) {
  Shape shape;
  for (std::size_t i = 1; i <= static_cast<std::size_t>(form[0]); ++i) shape.push_back(form[i]);
  return shape;
}

}  // namespace

template <class Real>
Result<std::optional<Tensor<Real>>> broadcast_tensor(Communicator& communicator, const Tensor<Real>* mine, int root) {
  const bool gives = communicator.rank() == root;
  Form form = form_of<Real>(gives ? mine : nullptr);
  if (auto done = communicator.broadcast({form.data(), form.size(), Scalar::int64}, root); !done) return done.error();
  if (form[0] < 0) return std::optional<Tensor<Real>>{};
  Tensor<Real> x = gives ? *mine : make_tensor<Real>(shape_of(form));
  constexpr Scalar kScalar = std::is_same_v<Real, double> ? Scalar::float64 : Scalar::float32;
  if (auto done = communicator.broadcast({x.data(), x.numel(), kScalar}, root); !done) return done.error();
  return std::optional<Tensor<Real>>(std::move(x));
}

template Result<std::optional<Tensor<float>>> broadcast_tensor(Communicator&, const Tensor<float>*, int);
template Result<std::optional<Tensor<double>>> broadcast_tensor(Communicator&, const Tensor<double>*, int);

}  // namespace tpsim::exec
