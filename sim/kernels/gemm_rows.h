// What the sources of the fit share.
#pragma once

#include <span>
#include <vector>

#include "sim/kernels/gemm_fit.h"

namespace tpsim {

// Rows on which repeated measurements disagree count less.
double row_weight(const GemmRow& row);

// fit_gemm with a bound on its iterations.
GemmModel refit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, int iterations,
                     std::span<const GridSample> siblings);

struct HeldRow {
  std::size_t row = 0;
  double us = 0;        // predicted without the row's widths
  bool beyond = false;  // outside the widths that the fit saw
};
struct GemmFit {
  GemmModel model;
  std::vector<HeldRow> held;
};
// A fit with bands from widths left out in turn.
GemmFit fit_and_hold_out(std::span<const GemmRow> rows, const GemmModel& prior, std::span<const GridSample> siblings);

}  // namespace tpsim
