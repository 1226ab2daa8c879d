// Memory of the heaviest rank, by module and by part.
#pragma once

#include "cli/size_result.h"
#include "cli/table.h"

namespace tpsim::cli {

Table memory_table(const SizeResult& result, Units units);

}  // namespace tpsim::cli
