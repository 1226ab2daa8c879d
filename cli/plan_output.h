// Plans as files: JSON or, with --python or a .py file, a Python dictionary.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/analysis.h"
#include "core/plan.h"

namespace tpsim::cli {

// The rules of the analysis: of all sources, merged.
Plan plan_in_effect(const Analysis& analysis);

std::string plan_text(const Plan& plan, const Options& options);

}  // namespace tpsim::cli
