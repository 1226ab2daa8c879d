// What -v and -vv add on standard error.
#pragma once

#include "cli/command.h"
#include "cli/report.h"

namespace tpsim::cli {

// -v: what was loaded, and which rule hit how much.
void explain_inputs(Context& context, const Scenario& scenario, const Analysis& analysis);
// -vv: formulas with the numbers put in.
void explain_figures(Context& context, const Report& report);

}  // namespace tpsim::cli
