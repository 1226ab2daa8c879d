// What a report says about memory and times beside the plan's own diagnostics.
#pragma once

#include <vector>

#include "cli/report.h"

namespace tpsim::cli {

// TP110 for sizes that do not fit, TP301 for sizes that buy little, TP302 for times from data sheets.
std::vector<Problem> advice(const Report& report);

}  // namespace tpsim::cli
