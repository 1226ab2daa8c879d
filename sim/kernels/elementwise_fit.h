// From measured elementwise kernels to constants.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/kernels/elementwise.h"
#include "sim/measured/table.h"

namespace tpsim {

struct ElementwiseRow {
  std::string gpu, source;
  ElementwiseOp op = ElementwiseOp::add;
  ElementwiseShape shape;  // hot, as it was measured
  double us = 0;
  double resolution = 0;  // us of the clock that measured it
};

// Rows of the form of elementwise.csv (gpu, source, op, tokens, width, time_us).
Result<std::vector<ElementwiseRow>> read_elementwise_rows(const MeasuredTable& table);

// Constants of rows of one operation on one device, pulled to `prior`; few rows decide little.
ElementwiseModel fit_elementwise(std::span<const ElementwiseRow> rows, const ElementwiseModel& prior);

// All operations of one GPU's rows, with bands from widths (or ranges of rows) left out in turn. `donor`: measured
// operations of another GPU, transferred for those that this one lacks.
ElementwiseCalibration fit_elementwise_calibration(std::span<const ElementwiseRow> rows, const Hardware& hardware,
                                                   const ElementwiseCalibration* donor = nullptr);

// One line per operation of one GPU.
std::vector<FidelityLine> fidelity_elementwise(std::span<const ElementwiseRow> rows, const Hardware& hardware);

}  // namespace tpsim
