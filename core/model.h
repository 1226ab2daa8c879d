// A model as Transformers builds it: a tree of modules with parameters, and the forward pass as a program over them.
// Modules that are alike in every respect share one ModuleType, so 80 equal layers are described once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rotary.h"
#include "core/shape.h"

namespace tpsim {

enum class ModuleKind {
  block,  // has children and a program
  linear,
  conv1d,  // GPT-2's: weight [in, out]
  embedding,
  rms_norm,
  layer_norm,
  activation,
  dropout,
  identity,
  rotary,          // returns (cos, sin)
  depthwise_conv,  // over the sequence: weight [channels, 1, kernel]
};

// Operations of a program; docs/architecture.md says what each does. Attribute use is given as ints/number/text.
// An instruction has one output per name assigned: with several, the value is a tuple and is taken apart; with one, a
// tuple stays a tuple in that slot.
enum class Op {
  call,       // child; positional inputs first, keyword inputs from `keyword_begin`; text: "" or the name of a child
              // of `child` that is called, `child` itself not; ints: the element, where `child` is a list
  for_each,   // child is a list: outputs = element(inputs...), called in turn with inputs[0] replaced by outputs[0];
              // ints: 1 where the element returns a tuple of one; then for each further output the input that it
              // replaces, -1 = none
  parameter,  // text: own tensor (parameter or buffer), or that of `child` without a call of it
  constant_none,
  make_tuple,  // inputs -> one tuple value
  unpack,      // tuple -> outputs
  view_heads,  // ints: d
  merge_heads,
  flatten_tokens,
  unflatten_tokens,  // inputs: x, like
  transpose,         // ints: a, b
  reshape,           // ints: extents (0 copies, -1 inferred)
  unsqueeze,         // ints: dim
  squeeze,           // ints: dim
  expand,            // inputs: x, like
  slice,             // ints: dim, begin, end (kOpenEnd = open)
  split,             // ints: dim, sizes...; as many outputs
  split_size,        // ints: dim, size of a piece; as many outputs as there must be pieces
  chunk,             // ints: dim, count; as many outputs
  concat,            // ints: dim
  add,
  sub,
  mul,
  div,
  add_number,  // number
  scale,       // number
  act,         // text: name of the function; "sigmoid"; "softcap" and "clamp" with their number.
               // Inputs after the first are the function's own tensors
  softmax,
  normalize,  // x / sum over the last dim
  norm_free,
  cast,
  linear,  // inputs: x, weight[, bias]
  causal_mask,
  positions,
  angles,        // inputs: x; ints: columns -> cos, sin of x's positions, as a rotary module gives them
  previous,      // inputs: x [B, S, H]: each position has what the one before it had, the first one zeros
  rope,          // inputs: q, k, cos, sin -> q, k; ints: interleaved (pairs instead of halves), half (cos and sin serve
                 // both halves)
  rope_one,      // inputs: x, cos, sin; ints as rope
  attention,     // inputs: q, k, v, mask[, sinks, bias]; ints by AttentionInt; number: scale (0 = 1/sqrt(d)), softcap;
                 // text:
                 // "" or "lightning" (linear attention with fixed decay, its cache one [n, d, d] state)
  topk_route,    // inputs: scores[, choice]; ints: k, groups (0 = none), keep_groups, group_best -> weights, indices
  scatter_topk,  // inputs: weights, indices, like -> [T, E], zero except at the indices
  experts,      // inputs: x, indices, weights, gate_up, down[, gate_up_bias, down_bias]; ints: transposed, interleaved,
                // ungated (the first product is [E, I, H], no gate);
                // text: activation function, or child: the activation module
  each_expert,  // child is a list; inputs: x, indices, weights
  per_slice,    // child is a list; inputs: x; ints: dim. Element i on slice i of extent 1; stops at the shorter one
  causal_conv,  // inputs: x [B, C, S], weight [C, 1, K][, bias [C]]: depthwise, each channel over its last K positions
  scan,         // text: kind of recurrence over the sequence (core/recurrent_ops.h); inputs by kind
  sum,          // ints: dim, keep (leaves an extent of 1)
  bmm,          // inputs: a, b; [E, N, H] x [E, H, M]
  repeat_rows,  // inputs: x, like: x.repeat(n, 1) with n = like's last extent
  split_rows,   // inputs: x, like: [E*T, H] -> [E, T, H] with E = like's first extent
  sum_groups,   // inputs: x, like: [E*T, H] (any leading extents) -> [T, H], summed over the E = like's last extent
                // groups
  repeat_heads,   // ints: n; [B, m, ...] -> [B, m*n, ...], each head n times
  relative_bias,  // inputs: x [B, n, S, E] -> [B, n, S, keys]: x at the distance from query to key, 0 from E on
  lookup,         // inputs: ids, table
  opaque,  // inputs: like, tensors...; text: what it is. Not modelled: shaped as `like`, reads all its inputs whole
};

// Places of attention's ints; 0 = none, but groups = 1.
enum AttentionInt {
  kGroups,
  kWindow,
  kLatentWidth,
  kChunk,
  kAlibi,
  kLightningBlock,
  kLightningLayer,
  kLightningLayers
};

inline constexpr std::int64_t kOpenEnd = INT64_MAX;
inline constexpr std::int64_t kSharedCache = -1;  // as kLatentWidth: reads what another layer keeps

struct Instruction {
  Op op = Op::call;
  int child = -1;
  std::vector<int> inputs;            // slots; -1 for an absent optional input
  std::vector<int> outputs;           // slots
  int keyword_begin = -1;             // call: index in `inputs` of the first keyword argument; -1 = all positional
  std::vector<std::string> keywords;  // their names
  std::vector<std::int64_t> ints;
  double number = 0;
  double softcap = 0;  // attention: 0 = none
  std::string text;
  bool no_grad = false;  // runs under torch.no_grad: a call's hooks communicate nothing in the backward pass
  bool operator==(const Instruction&) const = default;
};

struct Program {
  std::vector<std::string> inputs;  // names; slots 0 .. n-1
  int slots = 0;
  std::vector<Instruction> code;
  std::vector<int> results;  // slots of the return statement; more than one = a tuple
  bool operator==(const Program&) const = default;
};

struct ParameterSpec {
  std::string name;  // "weight", "bias", "gate_up_proj"
  Shape shape;
  bool borrowed = false;  // another module's: used here, counted and named there
  bool operator==(const ParameterSpec&) const = default;
};

struct Child {
  std::string name;
  bool is_list = false;
  std::vector<int> types;  // index into Model::types; one entry, or one per list element
  bool operator==(const Child&) const = default;
};

struct ModuleType {
  ModuleKind kind = ModuleKind::block;
  std::string class_name;  // "LlamaRMSNorm", "Linear"
  std::vector<ParameterSpec> parameters;
  std::vector<ParameterSpec> buffers;  // persistent ones: on disk, read by the program like parameters, never sharded
  std::vector<Child> children;
  Program program;  // blocks only
  // Attributes that strategies look at; absent = the Python object has no such attribute.
  std::optional<std::int64_t> in_features, out_features, num_experts;
  std::optional<std::int64_t> is_embedding;  // of a block: 1 = its class derives from torch's Embedding
  std::string text;                          // activation name
  std::int64_t extent = 0;                   // rotary: columns of cos and sin
  double eps = 0;                            // norms
  double offset = 0;                         // norms: multiply by weight + offset
  double scale = 1;                          // embedding: factor on its output
  std::vector<Rotary> rotaries;              // rotary: what the config says, by call where calls in turn differ
  bool operator==(const ModuleType&) const = default;
};

inline bool is_embedding(const ModuleType& type) {
  return type.kind == ModuleKind::embedding || type.is_embedding.value_or(0) != 0;
}

// Where a parameter's values come from on disk. `disk` holds one name per piece; `{e}` is expanded already.
// `prefix`: the first letters of the name are others on disk. `concat`: the pieces lie one behind the other along
// `dim`. `interleave`: gate and up are even and odd rows on disk.
enum class CheckpointConversion { rename, stack, stack_concat, transpose, chunk, prefix, concat, interleave };
struct CheckpointRule {
  std::string module;             // pattern over module parameter names, `*` = an index
  std::vector<std::string> disk;  // patterns; `{e}` = expert index
  CheckpointConversion how = CheckpointConversion::rename;
  int offset = 0;           // added to each index
  int part = 0, parts = 1;  // chunk: which of the equal parts of the tensor on disk along its first dimension
  int dim = 0;              // concat
};

struct Model {
  std::string model_type;
  std::string class_name;  // "LlamaForCausalLM"
  std::string base;        // "model"
  std::string source;      // of the description
  std::vector<ModuleType> types;
  int root = 0;
  bool tied = false;  // as the base model's own config says; a composite around it may decide otherwise (ties)
  // Parameters that do not exist under their own name: first shares the storage of second.
  std::vector<std::pair<std::string, std::string>> ties;
  std::vector<CheckpointRule> checkpoint;

  // Headline numbers for reports; 0 = the type has no such field.
  std::int64_t layers = 0, hidden_size = 0, query_heads = 0, kv_heads = 0, head_dim = 0, vocab_size = 0,
               intermediate_size = 0, experts = 0, experts_per_token = 0, max_positions = 0, qk_rope_head_dim = 0;
  std::string dtype;                       // as the config says it, "" if it does not
  std::vector<std::string> unknown_parts;  // what the description does not cover, in words
  bool has_forward = true;                 // false: built from names and shapes alone

  const ModuleType& type(int i) const { return types[static_cast<std::size_t>(i)]; }
};

// Every parameter once, in the order of named_parameters(), equal list elements folded:
// "model.layers.*.mlp.up_proj.weight" with shape and number of occurrences. Tied names are left out.
struct ParameterGroup {
  std::string pattern;
  Shape shape;
  std::int64_t count = 1;
  bool operator==(const ParameterGroup&) const = default;
};
std::vector<ParameterGroup> parameter_groups(const Model& model);

struct NamedParameter {
  std::string name;
  Shape shape;
};
std::vector<NamedParameter> named_parameters(const Model& model);
std::int64_t parameter_count(const Model& model);

// The parameter or buffer with this concrete name; null = the model has none.
const ParameterSpec* find_parameter(const Model& model, std::string_view name);
// The rule that covers a module parameter (concrete name); null = it has the same name and form on disk.
const CheckpointRule* checkpoint_rule(const Model& model, std::string_view parameter);
// Names on disk of one module parameter (concrete name), in order of the pieces.
std::vector<std::string> checkpoint_names(const Model& model, std::string_view parameter);

}  // namespace tpsim
