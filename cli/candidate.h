// One side of a comparison: what a scenario comes to at one TP size, as figures.
#pragma once

#include <string>

#include "cli/size_result.h"
#include "core/comparison.h"

namespace tpsim::cli {

Candidate candidate_of(const Scenario& scenario, const SizeResult& result, std::string label);

}  // namespace tpsim::cli
