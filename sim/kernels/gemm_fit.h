// From measured matrix products to constants, and how far the constants are from rows they have not seen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/kernels/gemm.h"
#include "sim/measured/table.h"

namespace tpsim {

struct GemmRow {
  std::string gpu, source, kernel;
  GemmShape shape;  // hot, as it was measured
  double us = 0;
  double spread = 0;  // ln of the upper over the lower quartile of repeated measurements, 0 = not known
};

// Rows of the form of gemm.csv (gpu, source, dtype, m, n, k, time_us, lo_us, hi_us).
Result<std::vector<GemmRow>> read_gemm_rows(const MeasuredTable& table);
// Sets of weights that the benchmark of a source takes in turn.
int benchmark_copies(std::string_view source);

// Constants of rows of one kernel on one device, starting from `prior` and pulled to it. Fewer than kFewGemmRows rows
// rescale start, memory and compute only and keep the prior's residual; fewer than kSomeGemmRows fit all constants
// but no residual.
inline constexpr std::size_t kFewGemmRows = 60, kSomeGemmRows = 300;
GemmModel fit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, std::span<const GridSample> siblings = {});
// What the physics of `model` leaves over on these rows, as further samples for the residual of a device that runs the
// same kernels.
std::vector<GridSample> gemm_residuals(std::span<const GemmRow> rows, const GemmModel& model, double weight);

// Measured rows of one GPU with its data sheet.
struct GemmTable {
  std::span<const GemmRow> rows;
  const Hardware* hardware = nullptr;
};

// All kernels of one GPU's rows, with bands from widths left out in turn. `siblings` run the same kernels on other
// devices or in other 16-bit types: they say what the GPU's own rows do not.
GemmCalibration fit_gemm_calibration(const GemmTable& table, std::span<const GemmTable> siblings = {},
                                     const GemmCalibration* prior = nullptr);

// One line per kernel of one GPU: whole widths (n and k) left out in turn, those between others ("bf16") and those
// outside what the fit saw ("bf16, beyond").
std::vector<FidelityLine> fidelity_gemm(const GemmTable& table, std::span<const GemmTable> siblings = {});

}  // namespace tpsim
