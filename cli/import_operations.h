// Calls of traces, grouped, with the module that a model's analysis gives them and the predicted time.
#pragma once

#include <string>
#include <vector>

#include "cli/trace_import.h"

namespace tpsim::cli {

struct ImportedCalls {
  bool collective = false;
  std::string name, shape, module;  // module "": not known
  std::int64_t calls = 0;           // on all ranks
  double least_us = 0, median_us = 0, sum_us = 0;
  std::optional<Estimate> predicted;
};

// Products with shapes and collectives with sizes, the longest in sum first.
std::vector<ImportedCalls> imported_calls(const std::vector<KinetoTrace>& traces, const ImportBasis& basis,
                                          Predictor* predictor);

}  // namespace tpsim::cli
