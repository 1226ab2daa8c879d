// What is wrong in the text of a plan, and where: lines, columns and the reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/analysis.h"
#include "core/result.h"

namespace tpsim::gui {

struct Marker {
  int line = 1, column = 1;  // from 1
  int length = 1;            // characters
  bool is_error = false;     // else a warning, or a rule that matches nothing
  std::string message;
};

// Markers of a text that is a plan: problems that name a place, and rules that match nothing.
std::vector<Marker> plan_markers(std::string_view text, const Analysis& analysis);
// The one marker of a text that is none. Line 1 where the error names no place ("FILE:LINE:COLUMN").
Marker parse_marker(std::string_view text, const Error& error);

// Characters from that place on that belong together: a quoted text with its quotes, else the rest of the line.
int marked_length(std::string_view text, int line, int column);

}  // namespace tpsim::gui
