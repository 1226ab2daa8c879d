// Plans as files: JSON or, with --python or a .py file, a Python dictionary.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/plan.h"

namespace tpsim::cli {

std::string plan_text(const Plan& plan, const Options& options);

}  // namespace tpsim::cli
