// Which rule decides which parameter, and how it is cut.
#pragma once

#include "cli/table.h"
#include "core/analysis.h"

namespace tpsim::cli {

// Parameters in their order, then rules that decide none.
Table plan_table(const Analysis& analysis, Units units);

}  // namespace tpsim::cli
