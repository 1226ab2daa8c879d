// Collectives predicted from fits that have not seen them.
#pragma once

#include <span>
#include <vector>

#include "sim/network/collectives_fit.h"

namespace tpsim {

struct HeldOutRow {
  MeasuredCollective row;
  CollectiveEstimate estimate;
};

// Every fifth octave of sizes left out in turn.
std::vector<HeldOutRow> hold_out_sizes(std::span<const MeasuredCollective> rows,
                                       std::span<const MeasuredCollective> sisters);
// Each rank count that others of the same operation, stack and hosts enclose, left out in turn.
std::vector<HeldOutRow> hold_out_ranks(std::span<const MeasuredCollective> rows,
                                       std::span<const MeasuredCollective> sisters);

// Half widths that hold 90 % of `log_ratios` (measured / predicted) along log2(bytes), from a few dozen rows.
BandCurve band_of(std::span<const double> log2_bytes, std::span<const double> log_ratios);

// Bands that hold 90 % of the held-out rows of each model.
void set_bands(std::span<const MeasuredCollective> rows, std::span<const MeasuredCollective> sisters,
               CollectiveCalibration& calibration);

}  // namespace tpsim
