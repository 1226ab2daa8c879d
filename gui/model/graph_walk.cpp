#include <algorithm>
#include <vector>

#include "gui/model/graph.h"

namespace tpsim::gui {
namespace {

bool is_stop(const DrawnNode& n) { return n.kind == NodeKind::module || n.kind == NodeKind::collective; }

// Neighbours along edges, from left to right.
std::vector<int> neighbours(const GraphDrawing& g, int node, bool forward) {
  std::vector<int> found;
  for (const DrawnEdge& e : g.edges)
    if ((forward ? e.from : e.to) == node) found.push_back(forward ? e.to : e.from);
  std::stable_sort(found.begin(), found.end(), [&](int a, int b) {
    return g.nodes[static_cast<std::size_t>(a)].x < g.nodes[static_cast<std::size_t>(b)].x;
  });
  return found;
}

// Segments are not joined by edges: behind the last node of one comes the first stop of the next.
int beyond(const GraphDrawing& g, int node, bool forward) {
  const auto n = static_cast<int>(g.nodes.size());
  const float y = g.nodes[static_cast<std::size_t>(node)].y;
  int best = -1;
  for (int i = 0; i < n; ++i) {
    const DrawnNode& other = g.nodes[static_cast<std::size_t>(i)];
    if (!is_stop(other) || (forward ? other.y <= y : other.y >= y)) continue;
    const float best_y = best < 0 ? 0 : g.nodes[static_cast<std::size_t>(best)].y;
    if (best < 0 || (forward ? other.y < best_y : other.y > best_y)) best = i;
  }
  return best;
}

}  // namespace

int follow(const GraphDrawing& g, int node, bool forward) {
  if (node < 0 || node >= static_cast<int>(g.nodes.size())) return -1;
  std::vector<int> reached = neighbours(g, node, forward);
  std::vector<bool> seen(g.nodes.size());
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const int at = reached[i];
    if (is_stop(g.nodes[static_cast<std::size_t>(at)])) return at;
    if (seen[static_cast<std::size_t>(at)]) continue;
    seen[static_cast<std::size_t>(at)] = true;
    for (const int next : neighbours(g, at, forward)) reached.push_back(next);
  }
  return beyond(g, node, forward);
}

int node_of(const GraphDrawing& g, int module_row, int layer) {
  int found = -1;
  for (std::size_t i = 0; i < g.nodes.size(); ++i) {
    const DrawnNode& n = g.nodes[i];
    if (n.module_row != module_row || n.kind != NodeKind::module) continue;
    if (found < 0 || n.layer == layer) found = static_cast<int>(i);
    if (n.layer == layer) break;
  }
  return found;
}

int next_segment(const GraphDrawing& g, float y, bool forward) {
  constexpr float near = 2;
  int found = -1;
  for (std::size_t i = 0; i < g.segments.size(); ++i) {
    if (forward && g.segments[i].y > y + near) return static_cast<int>(i);
    if (!forward && g.segments[i].y < y - near) found = static_cast<int>(i);
  }
  return found;
}

}  // namespace tpsim::gui
