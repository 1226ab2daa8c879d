// From measured expert layers to constants, and how far they are from models they have not seen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/kernels/moe.h"
#include "sim/measured/table.h"

namespace tpsim {

struct MoeRow {
  std::string gpu, source, kernel, dtype;
  std::string model;  // what is left out as a whole: hidden, inter, experts, topk
  MoeShape shape;     // hot, as it was measured
  double us = 0;
};

// Rows of the form of moe.csv (gpu, kernel, dtype, tokens, hidden, inter, topk, experts, tp, ep, dist, time_us).
Result<std::vector<MoeRow>> read_moe_rows(const MeasuredTable& table);

// Constants of rows of one kernel and type, pulled to `prior`. Fewer than kFewMoeRows rows rescale start, memory and
// compute only and keep the prior's residual.
inline constexpr std::size_t kFewMoeRows = 40;
MoeModel fit_moe(std::span<const MoeRow> rows, const MoeModel& prior);

// All kernels of one GPU's rows, with bands from whole models left out in turn.
MoeCalibration fit_moe_calibration(std::span<const MoeRow> rows, const Hardware& hardware);

// One line per kernel, type and routing: whole models left out in turn.
std::vector<FidelityLine> fidelity_moe(std::span<const MoeRow> rows, const Hardware& hardware);

}  // namespace tpsim
