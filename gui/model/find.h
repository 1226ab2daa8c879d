// Looking for modules by what is known of them: name, shape, strategy, problem.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/report.h"
#include "gui/model/modules.h"

namespace tpsim::gui {

// Indices of the rows with parameters that `text` says: part of a path or strategy, a shape as "28672x8192", a code as
// "TP202". Letters' case does not matter.
std::vector<int> find_hits(const std::vector<ModuleRow>& rows, const cli::Report& report, std::string_view text);

}  // namespace tpsim::gui
