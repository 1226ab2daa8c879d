// What gemm_fit.cpp and gemm_rows.cpp share.
#pragma once

#include <span>

#include "sim/kernels/gemm_fit.h"

namespace tpsim {

// Rows on which repeated measurements disagree count less.
double row_weight(const GemmRow& row);

// fit_gemm with a bound on its iterations.
GemmModel refit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, int iterations);

}  // namespace tpsim
