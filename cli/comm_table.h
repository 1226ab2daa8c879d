// Collectives of both phases with payload, wire bytes, algorithm and time.
#pragma once

#include "cli/size_result.h"
#include "cli/table.h"

namespace tpsim::cli {

Table comm_table(const SizeResult& result, Units units);

}  // namespace tpsim::cli
