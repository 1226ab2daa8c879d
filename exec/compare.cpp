#include "exec/compare.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "exec/kernels/shape_kernels.h"

namespace tpsim::exec {
namespace {

// The largest of some million normal deviations is about five of them.
constexpr double kRoom = 6;

template <class Real>
Tensor<Real> picked(const Tensor<Real>& x, int dim, const std::vector<Range>& ranges) {
  std::vector<Tensor<Real>> parts;
  for (const Range& range : ranges) parts.push_back(slice(x, dim, range));
  std::vector<const Tensor<Real>*> pointers;
  for (const Tensor<Real>& part : parts) pointers.push_back(&part);
  return pointers.empty() ? slice(x, dim, {0, 0}) : concat(pointers, dim);
}

}  // namespace

template <class Real>
std::optional<ErrorSize> error_of(const Tensor<Real>& x, const Tensor<Real>& whole, int dim,
                                  const std::vector<Range>& ranges) {
  for (const Range& range : ranges)
    if (dim >= whole.shape.rank() || range.end > whole.shape[dim]) return std::nullopt;
  const Tensor<Real> reference = ranges.empty() ? whole : picked(whole, dim, ranges);
  if (!(x.shape == reference.shape) || x.real == nullptr || reference.real == nullptr) return std::nullopt;
  ErrorSize error;
  double largest = 0, squares = 0, reference_squares = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto a = static_cast<double>(x.data()[i]), b = static_cast<double>(reference.data()[i]);
    const double difference = a == b ? 0 : std::fabs(a - b);
    if (!std::isfinite(difference)) error.finite = false;
    error.max_abs = std::max(error.max_abs, difference);
    largest = std::max(largest, std::fabs(b));
    squares += difference * difference;
    reference_squares += b * b;
  }
  const auto count = static_cast<double>(std::max<std::int64_t>(1, x.numel()));
  error.rms = std::sqrt(squares / count);
  error.reference_rms = std::sqrt(reference_squares / count);
  error.max_rel = largest > 0 ? error.max_abs / largest : error.max_abs;
  return error;
}

double rounding_band(double epsilon, std::int64_t reduction, std::int64_t depth, double rms) {
  return kRoom * epsilon * std::sqrt(static_cast<double>(std::max<std::int64_t>(1, reduction))) *
         std::sqrt(static_cast<double>(std::max<std::int64_t>(1, depth))) * rms;
}

bool is_within(const std::optional<ErrorSize>& error, double band) {
  return error && error->finite && error->max_abs <= band;
}

template std::optional<ErrorSize> error_of(const Tensor<float>&, const Tensor<float>&, int, const std::vector<Range>&);
template std::optional<ErrorSize> error_of(const Tensor<double>&, const Tensor<double>&, int,
                                           const std::vector<Range>&);

}  // namespace tpsim::exec
