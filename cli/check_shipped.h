// `tpsim check --shipped`: every plan of a release against the configurations that tpsim knows.
#pragma once

#include "cli/command.h"

namespace tpsim::cli {

// Exit 1 if a plan is broken.
Result<int> run_check_shipped(Context& context);

}  // namespace tpsim::cli
