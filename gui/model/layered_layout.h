// Places the nodes of a directed graph without cycles in rows: longest path from the inputs, order within a row by the
// mean place of the neighbours (barycentre), long edges bent around what lies between.
#pragma once

#include <utility>
#include <vector>

#include "core/layer_graph.h"
#include "gui/model/graph.h"

namespace tpsim::gui {

struct BoxSize {
  float width = 0, height = 0;
};

struct PlacedGraph {
  std::vector<Point> nodes;               // upper left corners
  std::vector<std::vector<Point>> edges;  // from the lower side of one node to the upper side of the other
  float width = 0, height = 0;
};

PlacedGraph place_in_layers(const LayerGraph& graph, const std::vector<BoxSize>& sizes);

}  // namespace tpsim::gui
