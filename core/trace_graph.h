// Draws what runs as the graph of the machine's trace: module leaves, operations that record work, collectives.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/call.h"
#include "core/machine.h"
#include "core/model.h"

namespace tpsim {

class TraceGraph {
public:
  explicit TraceGraph(Machine& m) : m_(m) {}

  // Call when the machine's trace is a new one.
  void start() { drawn_collectives_ = 0; }

  void draw_leaf(const std::string& strategy, ModuleCall& call);
  static void set_node(ForwardValue& value, int node);
  // Collectives that a hook has issued since the last look lie between the value as it was and what follows.
  void draw_collectives(ForwardValue& value, const std::vector<ForwardValue>& before);
  // An operation that records work is a node; views are not.
  void draw_operation(const Instruction& code, std::size_t operations_before, const std::vector<ForwardValue>& slots,
                      ForwardValue& value);

private:
  int add_node(const std::string& name, const std::string& strategy = {}, bool has_weights = false);
  void add_edge(const TensorState& tensor, int to);
  // What comes from outside the trace.
  int input_node();
  // Queries and keys are rotated apart.
  void draw_rope(const Instruction& code, const std::vector<ForwardValue>& slots, ForwardValue& value);

  Machine& m_;
  std::size_t drawn_collectives_ = 0;  // of the trace's forward list
};

// The first tensor of a value, or null.
const TensorState* first_tensor(const ForwardValue& value);

}  // namespace tpsim
