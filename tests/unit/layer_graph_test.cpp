#include "core/layer_graph.h"

#include <algorithm>

#include "tests/catch.hpp"

namespace tpsim {
namespace {

LayerGraph graph_of(int nodes, const std::vector<std::pair<int, int>>& edges) {
  LayerGraph graph;
  graph.nodes.resize(static_cast<std::size_t>(nodes));
  for (const auto& [from, to] : edges) {
    GraphEdge edge;
    edge.from = from;
    edge.to = to;
    graph.edges.push_back(edge);
  }
  return graph;
}

}  // namespace

TEST_CASE("topological_order: every edge goes forward, every node occurs once", "[layer_graph]") {
  const LayerGraph graph = graph_of(5, {{4, 0}, {0, 2}, {4, 2}, {2, 1}, {3, 1}});
  const std::vector<int> order = topological_order(graph);
  REQUIRE(order.size() == 5);
  const auto place = [&](int node) { return std::find(order.begin(), order.end(), node) - order.begin(); };
  for (const GraphEdge& edge : graph.edges) CHECK(place(edge.from) < place(edge.to));
}

TEST_CASE("depths: the longest way to a node is its column", "[layer_graph]") {
  CHECK(depths(graph_of(5, {{0, 1}, {1, 2}, {0, 2}, {2, 3}})) == std::vector<int>{0, 1, 2, 3, 0});
}

TEST_CASE("depths: of nothing is nothing", "[layer_graph]") {
  CHECK(depths(LayerGraph{}).empty());
  CHECK(topological_order(LayerGraph{}).empty());
}

}  // namespace tpsim
