// The layer graph as an SVG picture.
#pragma once

#include <string>

#include "gui/model/graph.h"
#include "gui/model/theme.h"

namespace tpsim::gui {

std::string graph_svg(const GraphDrawing& graph, const Theme& theme, const std::string& title);

}  // namespace tpsim::gui
