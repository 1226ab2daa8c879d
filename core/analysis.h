// The heart: what a plan means for a model on a mesh, exactly. Reports, the cost model, the executor and the visualizer
// all read this one value; none of them works out a shard shape or a collective for itself.
//
// Equal layers are analysed once: `traces` holds what happens in one pass of a segment of the model, `steps` says in
// which order traces run and under which module prefix. Expand with the functions at the end of this file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/collective.h"
#include "core/diagnostic.h"
#include "core/dialect.h"
#include "core/dtype.h"
#include "core/layer_graph.h"
#include "core/model.h"
#include "core/placement.h"
#include "core/plan.h"
#include "core/shape.h"

namespace tpsim {

// The tensors of one pass: `tokens` new tokens for each of `batch` sequences after `past` cached ones.
// Prefill: past 0. Decode step: tokens 1, past = context.
struct Workload {
  std::int64_t batch = 1;
  std::int64_t tokens = 2048;
  std::int64_t past = 0;
  bool all_logits = true;  // false: the head sees the last position of each sequence only
  DType weights = DType::bf16;
  DType activations = DType::bf16;
  DType kv_cache = DType::bf16;
  bool operator==(const Workload&) const = default;
};

// How experts get their tokens under expert parallelism (5.19 on); automatic = what the dialect does.
enum class ExpertExchange { automatic, all_reduce, all_to_all };

struct Parallelism {
  int tp = 1;
  int ep = 1;  // 1 = no expert parallelism
  ExpertExchange exchange = ExpertExchange::automatic;
  bool operator==(const Parallelism&) const = default;
};

// What this Transformers version does with the plan: the unsharded model's numbers, other numbers (or another logits
// shape), or an exception (or hang) while loading or in the first forward. Unknown: the model's forward pass is not
// described.
enum class Verdict { right, wrong, error, unknown };

// Where a rule of the resolved plan comes from.
enum class RuleOrigin { config_plan, class_plan, injected, user, expert_plan };

struct ResolvedRule {
  Rule rule;
  RuleOrigin origin = RuleOrigin::config_plan;
  bool known_strategy = true;
  std::int64_t modules = 0;     // modules whose call it changes (hook, wrapper)
  std::int64_t parameters = 0;  // parameters whose placement it decides
};

// One rank's piece of a parameter. `ranges` are the global indices along the cut dimension, in storage order: one range
// for a plain shard, one per block for a packed one, none for a replica.
struct RankShard {
  Shape shape;
  std::vector<Range> ranges;
  std::int64_t bytes = 0;
};

// A set of parameters that are alike in everything but the indices in their names.
struct ShardSpec {
  std::string pattern;                    // "model.layers.*.mlp.up_proj.weight"
  std::vector<std::vector<int>> indices;  // for each `*`: the indices it stands for; the set is their product
  std::int64_t count = 1;                 // parameters in the set
  Shape shape;                            // global
  DType dtype = DType::bf16;
  std::int64_t bytes = 0;             // of one whole parameter
  int rule = -1;                      // index into Analysis::rules; -1 = no rule, a full copy on every rank
  std::string strategy;               // of that rule, "" without
  Placement placement = Replicate{};  // over the mesh of this parameter (tp, or ep for whole experts)
  double factor = 1;                  // the strategy multiplies the loaded values by it
  std::vector<RankShard> ranks;       // one per rank
};

enum class OperationKind {
  gemm,          // m x k times k x n
  grouped_gemm,  // experts
  attention,
  norm,
  rope,
  elementwise,
  softmax,
  embedding,
  routing,
  copy,  // concatenation, transposition that moves data
};

// One operation of one rank (the heaviest), with what a cost model needs. Byte counts are of the operation's own
// tensors.
struct Operation {
  OperationKind kind = OperationKind::elementwise;
  std::string module;                // path below the step's prefix
  std::string name;                  // "linear", "attention", "silu"
  std::int64_t m = 0, n = 0, k = 0;  // gemm; grouped_gemm: rows routed to this rank, n, k of one expert
  std::int64_t experts = 0;          // grouped_gemm: experts held by the rank
  std::int64_t sequences = 0, heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;  // attention
  std::int64_t query_tokens = 0, context = 0;  // attention: new tokens, keys seen (window applied)
  double flops = 0;
  std::int64_t weight_bytes = 0, input_bytes = 0, output_bytes = 0;
};

struct CollectiveEvent {
  CollectiveOp op = CollectiveOp::all_reduce;
  std::string module;      // path below the step's prefix; the module whose call issues it
  Shape input_shape;       // rank 0's input
  std::int64_t numel = 0;  // of that input
  DType dtype = DType::bf16;
  int group = 1;                         // ranks
  std::int64_t payload_bytes = 0;        // bytes of the full (gathered, reduced) tensor
  std::int64_t wire_bytes_per_rank = 0;  // ring algorithm
  bool data_dependent = false;           // extents depend on routing; the figure is the mean under uniform routing
};

// What happens in one pass over a segment (the ends of the model, or one decoder layer), in order.
struct Trace {
  std::vector<Operation> operations;
  std::vector<CollectiveEvent> forward;        // inference
  std::vector<int> forward_after;              // for each: number of operations that precede it
  std::vector<CollectiveEvent> train_forward;  // with gradients on every parameter
  std::vector<CollectiveEvent> backward;
  std::int64_t peak_activation_bytes = 0;     // liveness inside the segment, heaviest rank, inputs included
  std::int64_t cache_bytes = 0;               // KV cache this segment keeps on the heaviest rank for past + tokens
  std::int64_t cache_bytes_per_position = 0;  // the same for one more position of one sequence, windows not applied
  LayerGraph graph;
};

struct Step {
  int trace = 0;
  std::string prefix;  // "model.layers.17", "" for the model's ends
};

struct RankMemory {
  std::int64_t weights = 0;
  std::int64_t weights_replicated = 0;  // part of `weights` that other ranks hold as well
  std::int64_t kv_cache = 0;
  std::int64_t activations = 0;    // peak, logits included
  std::int64_t logits = 0;         // part of `activations`
  std::int64_t communication = 0;  // stated assumption: the largest collective's buffer on send and receive side
};

struct Analysis {
  std::string model_type, class_name;
  Dialect dialect;
  Parallelism parallelism;
  Workload workload;
  std::string plan_name;    // "auto", "none", file
  std::string plan_source;  // which data the automatic plan came from

  Verdict verdict = Verdict::right;
  std::vector<std::string> verdict_reasons;  // codes of the diagnostics that decide it, in order
  std::vector<Diagnostic> diagnostics;       // errors first, then warnings, notes

  std::vector<ResolvedRule> rules;  // the plan in effect, in its order
  std::vector<ShardSpec> shards;    // every parameter
  std::vector<Trace> traces;
  std::vector<Step> steps;
  std::vector<RankMemory> memory;  // one per rank
  std::int64_t parameter_count = 0;
  std::int64_t kv_bytes_per_token = 0;        // all ranks together, one sequence position (windows not applied)
  Shape logits_shape, expected_logits_shape;  // rank 0's, and the unsharded model's
  bool complete = true;                       // false: the forward stops at an error, so traces end there
  std::int64_t sound_operations = 0;          // operations that were what the unsharded model does before one was not

  int ranks() const { return parallelism.tp > parallelism.ep ? parallelism.tp : parallelism.ep; }
};

const char* to_string(Verdict verdict);
const char* to_string(RuleOrigin origin);
const char* to_string(OperationKind kind);

// Events of all steps in order, modules as full paths.
enum class EventList { forward, train_forward, backward };
std::vector<CollectiveEvent> events(const Analysis& analysis, EventList list = EventList::forward);

// Concrete parameter names of a set, in the order of their indices.
std::vector<std::string> names(const ShardSpec& spec);

// The rank with the most bytes.
int heaviest_rank(const Analysis& analysis);
std::int64_t total_bytes(const RankMemory& memory);
std::int64_t total_weight_bytes(const Analysis& analysis);  // unsharded

}  // namespace tpsim
