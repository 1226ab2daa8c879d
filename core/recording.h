// What every rank does in one forward pass, as a list of operations on numbered values that can be replayed on real
// tensors. It is written down while the pass runs symbolically, strategies included, so what is executed is what was
// analysed: a wrong plan's list is wrong in the same way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/collective.h"
#include "core/model.h"
#include "core/rotary.h"
#include "core/tensor_state.h"

namespace tpsim {

// What stands beside the operations of programs: where values come from, leaves, and what strategies do around a call.
enum class Primitive {
  operation,    // `op`, its inputs and numbers as the program gives them
  parameter,    // text: path of a parameter or buffer below the step's prefix
  rotary,       // positions -> cos, sin; ints: index into Recording::rotaries
  embedding,    // ids, table; number: scale; ranges: global rows that a rank's table holds, other ids give zeros
  norm,         // x[, weight, bias]; ints: 1 = layer norm; number: eps; offset
  own_chunk,    // x; ints: dim, ranks. This rank's torch.chunk
  own_routes,   // weights, indices; ints: experts, ranks, 1 = weights are dense columns. Zeroes the weights of others'
                // experts and counts indices from this rank's first expert; others get the number of experts per rank
  expert_rows,  // x, indices, weights; ints: expert -> rows of x routed to it, their weights [rows, 1]
  add_expert_rows,   // sum, rows, indices; ints: expert
  zeros,             // like
  send_to_experts,   // x, indices, weights; ints: experts -> the rows that this rank's experts get, their experts
                     // counted from the first own one, weights of 1
  return_to_tokens,  // rows -> x's shape: the results where their tokens came from, weighted and summed
  reduce,            // all_reduce
  gather,            // all_gather; ints: dim; ranges: extents of the ranks' pieces
  scatter,           // reduce_scatter; ints: dim
  gradient,          // x -> x: where `backward` happens to its gradient; ints: last columns it is about (0 = all),
                     // ranks of a group (0 = all)
  unsupported,       // text: what cannot be executed
};

struct RecordedOp {
  Primitive primitive = Primitive::operation;
  Op op = Op::cast;         // experts: a fourth int, 1 = the weights are columns of all experts
  std::string module;       // path below the step's prefix
  std::vector<int> inputs;  // values; -1 = absent
  std::vector<int> outputs;
  std::vector<RankShapes> shapes;  // of the outputs
  std::vector<std::int64_t> ints;
  double number = 0, softcap = 0, offset = 0;
  std::string text;
  std::vector<std::vector<Range>> ranges;  // by rank
  bool data_dependent = false;             // the first extents depend on routing
  std::size_t operations =
      0;  // of the Analysis' trace that were noted up to here: those since the entry before are this
  bool gradients = true;                   // false: under no_grad
  // Of a training step: the collective by which the operation's backward makes the input's gradient from the output's.
  std::optional<CollectiveOp> backward;
};

// What a module's call returned (its first tensor), and how that lies on the ranks.
struct RecordedOutput {
  std::string module;  // path below the step's prefix
  int value = -1;
  std::size_t after = 0;  // operations of the trace that have run
  Layout layout;
  std::vector<std::vector<Range>> ranges;  // sharded: by rank
};

struct RecordedTrace {
  std::vector<RecordedOp> code;
  std::vector<RecordedOutput> outputs;  // in the order in which the calls end
  int inputs = 0;                       // values 0 .. inputs-1 of a layer's trace come from outside
  int values = 0;
};

// Parallel to the Analysis' steps. Layers share traces and number their values for themselves; the code between layers
// (no prefix) works on the values of the whole pass.
struct RecordedStep {
  std::vector<int> inputs;                   // of the pass, by the layer's value
  std::vector<std::pair<int, int>> outputs;  // layer's value, value of the pass
};

// Parallel to the Analysis' traces and steps.
struct Recording {
  std::vector<RecordedTrace> traces;
  std::vector<RecordedStep> steps;
  std::vector<Rotary> rotaries;
  int values = 0;   // of the pass
  int input = -1;   // token ids
  int output = -1;  // logits; -1 = the pass returns no tensor
  // Set before the pass is recorded: the forward of a training step, with what strategies do to gradients.
  bool training = false;
};

}  // namespace tpsim
