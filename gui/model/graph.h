// The layer graph as a drawing: the model's segments one below the other, equal layers once with their count, each laid
// out in layers from top to bottom. Units are pixels at zoom 1; nothing here knows a window.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cli/size_result.h"
#include "gui/model/modules.h"

namespace tpsim::gui {

struct Point {
  float x = 0, y = 0;
};

enum class NodeKind { operation, module, collective, input };

struct DrawnNode {
  NodeKind kind = NodeKind::operation;
  int trace = 0, node = 0;  // in the analysis
  int module_row = -1;
  int layer = -1;  // of an unfolded segment: its index in the list; -1 = stands for all of them
  std::string title, strategy;
  std::string code;           // of the first problem there
  bool is_exception = false;  // its rule names a single layer
  float x = 0, y = 0, width = 0, height = 0;
  std::int64_t bytes = 0;  // of weights on the heaviest rank, of one layer; of a collective its payload
  Shape local;             // of the weight, on the heaviest rank
  std::int64_t prefill_bytes = 0, decode_bytes = 0;  // payload of a collective in each phase
  double prefill_us = 0, decode_us = 0;              // of one pass over the layer
  int event = -1;                                    // collective: index into the trace's forward list
};

struct DrawnEdge {
  int from = 0, to = 0;  // indices into GraphDrawing::nodes
  std::string layout;    // "Shard(-1)"
  Shape shape;
  std::string code;  // of the problem of an impossible transition
  std::vector<Point> points;
};

struct Segment {
  std::string title;  // "model.layers.* x 80"
  int trace = 0;
  std::int64_t repeats = 1;
  std::size_t group = 0;  // first step of its group: what is unfolded
  bool can_unfold = false, is_unfolded = false;
  float x = 0, y = 0, width = 0, height = 0;
  bool framed = false;
};

struct GraphDrawing {
  std::vector<Segment> segments;
  std::vector<DrawnNode> nodes;
  std::vector<DrawnEdge> edges;
  float width = 0, height = 0;
};

// A stretch of the steps: `traces` in order, `repeats` times. "(3 linear + 1 full) x 12" is one group.
struct StepGroup {
  std::vector<int> traces;
  std::int64_t repeats = 1;
  std::size_t first_step = 0;
};
std::vector<StepGroup> group_steps(const std::vector<Step>& steps);

// Groups whose first step is in `unfolded` are drawn layer by layer.
GraphDrawing draw_graph(const cli::SizeResult& result, const std::vector<ModuleRow>& modules,
                        const std::set<std::size_t>& unfolded = {});

// Nodes that a walk along the edges comes to: the next module or collective behind (or before) `node`; -1 = none.
int follow(const GraphDrawing& graph, int node, bool forward);
// The node of a module, at that layer if it is drawn alone; -1 = none.
int node_of(const GraphDrawing& graph, int module_row, int layer);
// The segment after (or before) the one at height y; -1 = none.
int next_segment(const GraphDrawing& graph, float y, bool forward);

// "R", "S(-1)", "P": layouts as written on edges.
std::string short_layout(const std::string& layout);
// "AR", "AG", "RS", "A2A"
const char* short_name(CollectiveOp op);

}  // namespace tpsim::gui
