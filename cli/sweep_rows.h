// Results of a sweep as flat rows.
#pragma once

#include "cli/sweep_cell.h"
#include "cli/table.h"

namespace tpsim::cli {

Table sweep_table();  // columns without rows; field names are those of a report, with what the point is before them
Row sweep_row(const Scenario& scenario, int tp, const SweepResult& result);

}  // namespace tpsim::cli
