#include "core/layer_graph.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/topological_sort.hpp>
#include <iterator>

namespace tpsim {
namespace {

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;

Graph boost_graph(const LayerGraph& graph) {
  Graph g(graph.nodes.size());
  for (const GraphEdge& e : graph.edges)
    boost::add_edge(static_cast<std::size_t>(e.from), static_cast<std::size_t>(e.to), g);
  return g;
}

}  // namespace

std::vector<int> topological_order(const LayerGraph& graph) {
  std::vector<std::size_t> reversed;
  Graph g = boost_graph(graph);
  boost::topological_sort(g, std::back_inserter(reversed));
  return {reversed.rbegin(), reversed.rend()};
}

std::vector<int> depths(const LayerGraph& graph) {
  std::vector<int> depth(graph.nodes.size(), 0);
  const Graph g = boost_graph(graph);
  for (int node : topological_order(graph)) {
    const auto [first, last] = boost::out_edges(static_cast<std::size_t>(node), g);
    for (auto e = first; e != last; ++e) {
      int& target = depth[boost::target(*e, g)];
      target = std::max(target, depth[static_cast<std::size_t>(node)] + 1);
    }
  }
  return depth;
}

}  // namespace tpsim
