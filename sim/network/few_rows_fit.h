// A network from few rows, and what is known of another one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/network/collectives_fit.h"

namespace tpsim {

struct NetworkFit {
  CollectiveCalibration calibration;  // one network
  // Of the rows: with the prior, with the fit, and with fits that saw only every other size.
  ErrorSummary before, after, held_out;
  std::vector<std::string> notes;
};

// Rows of one machine. Operations, rank counts and stacks without rows are scaled from `prior`.
NetworkFit fit_few_rows(std::span<const MeasuredCollective> rows, const CollectiveNetwork& prior);

}  // namespace tpsim
