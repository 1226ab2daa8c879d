// How far two runs are apart, and how far they may be by rounding alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "exec/tensor.h"

namespace tpsim::exec {

struct ErrorSize {
  double max_abs = 0;
  double max_rel = 0;  // max_abs over the largest magnitude of the reference
  double rms = 0;      // of the differences
  double reference_rms = 0;
  bool finite = true;  // false: one side holds NaN or infinity where the other does not
};

// `ranges` of dimension `dim` of the reference are what `x` holds; none = all of it. Nothing where the shapes do not
// fit.
template <class Real>
std::optional<ErrorSize> error_of(const Tensor<Real>& x, const Tensor<Real>& reference, int dim,
                                  const std::vector<Range>& ranges);

// What rounding may do: results rounded to `epsilon`, the longest sum `reduction` numbers, `depth` operations one after
// the other, numbers of the size `rms`. Errors of independent roundings add up as their squares do; the factor leaves
// room for the largest of many elements.
double rounding_band(double epsilon, std::int64_t reduction, std::int64_t depth, double rms);

// Whether an error is one that rounding explains; none (other shapes) is not.
bool is_within(const std::optional<ErrorSize>& error, double band);

}  // namespace tpsim::exec
