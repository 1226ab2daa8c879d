// The data flow of one segment as a graph: nodes are operations and module calls' results, edges carry tensors with
// their layout on the mesh. Boost.Graph does the algorithms, in layer_graph.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/shape.h"

namespace tpsim {

struct GraphNode {
  std::string module;    // path below the step's prefix
  std::string name;      // operation: "linear", "attention", "all_reduce", "input"
  std::string strategy;  // of the rule on that module, "" without
  bool has_weights = false;
};

struct GraphEdge {
  int from = 0, to = 0;  // indices into nodes
  Shape shape;           // rank 0's tensor
  std::string layout;    // "Replicate", "Shard(-1)", "Partial(sum)", "wrong"
};

struct LayerGraph {
  std::vector<GraphNode> nodes;
  std::vector<GraphEdge> edges;
};

// Nodes such that every edge goes forward. The graph of a forward pass has no cycle.
std::vector<int> topological_order(const LayerGraph& graph);
// Length in edges of the longest path that ends at each node: the column of a layered drawing.
std::vector<int> depths(const LayerGraph& graph);

}  // namespace tpsim
