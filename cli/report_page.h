// A report with everything in it: sizes, pictures, memory, collectives, plan, problems, code.
#pragma once

#include "cli/page.h"
#include "cli/report.h"

namespace tpsim::cli {

// Tables of one size are those of the smallest that is right and fits, else of the largest that runs.
Page report_page(const Report& report, const Options& options);
const SizeResult& size_to_show(const Report& report);

}  // namespace tpsim::cli
