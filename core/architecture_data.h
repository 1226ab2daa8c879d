// A description with names resolved: what load_architecture makes and build_model reads.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/architecture.h"
#include "core/expression.h"
#include "core/program_parser.h"
#include "core/value.h"

namespace tpsim {

inline constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxListElements = 100'000;       // of one module list: layers, experts
inline constexpr std::int64_t kMaxModuleInstances = 4'000'000;  // list elements and blocks evaluated in one model
inline constexpr std::int64_t kMaxParameterTensors = 2'000'000;
inline constexpr std::size_t kMaxBlocks = 256;
inline constexpr std::size_t kMaxEntries = 512;  // of one object or list of a description
inline constexpr std::size_t kMaxLocals = 64;
inline constexpr int kMaxFieldChain = 16;  // defaults that need defaults

// One text that was merged in; errors find the place of a pointer in the last layer that has it.
struct DescriptionLayer {
  std::string file;
  std::string pointer;  // "/versions/1" for an overlay
  Value value;
};

// A default: a value or an expression over the other fields.
struct FieldDefault {
  Value value;
  std::optional<Expression> expression;
  std::string pointer;
};

struct Field {
  std::string name;
  FieldDefault absent;
  std::optional<FieldDefault> null;  // none: null stays null
};

// A bound expression with its place.
struct PlacedExpression {
  Expression expression;
  std::string pointer;
};

// A parameter of this name says that the instance's tensors are an earlier instance's.
inline constexpr std::string_view kBorrowed = "borrowed";

struct BlockParameter {
  std::string name;
  std::optional<PlacedExpression> preset;
  bool used = false;  // whether anything of the block depends on it
};

struct Local {
  int slot = 0;
  PlacedExpression value;
  bool used = false;
};

struct TensorTemplate {
  std::string name;
  std::vector<PlacedExpression> extents;
  std::optional<PlacedExpression> condition;
};

enum class Attribute { in_features, out_features, num_experts, is_embedding };
struct AttributeTemplate {
  Attribute attribute = Attribute::num_experts;
  PlacedExpression value;
};

enum class ModuleNodeKind { leaf, block, choice, list };

// A module expression. Expressions are bound in the block's scope.
struct ModuleNode {
  ModuleNodeKind kind = ModuleNodeKind::leaf;
  ModuleKind leaf = ModuleKind::identity;
  int block = -1;
  std::vector<std::optional<Node>> arguments;  // leaf, block: by parameter
  std::optional<Node> control;                 // choice: the condition; list: the count
  std::vector<ModuleNode> children;            // choice: then[, else]; list: the element
  int variable = -1;                           // list: its slot
  bool per_element = false;                    // list: the element depends on the variable
};

struct ModuleTemplate {
  std::string name;
  std::string text;
  std::string pointer;
  ModuleNode node;
};

struct BlockTemplate {
  std::string name;
  std::string class_name;
  std::string pointer;
  std::vector<BlockParameter> parameters;  // slots kFirstLocal ..
  std::vector<Local> locals;               // in an order in which each may use those before it
  std::vector<ModuleTemplate> modules;
  std::vector<TensorTemplate> tensors, buffers;
  std::vector<AttributeTemplate> attributes;
  ProgramTemplate program;
  std::vector<const Node*> body_expressions;  // of tensors, attributes and program, over parameters and locals
  std::size_t frame_size = 0;
};

struct Architecture::Data {
  Dialect dialect;
  std::string model_type, class_name, class_prefix, base, source;
  std::vector<std::string> unknown_parts;
  std::vector<Field> fields;
  std::unordered_map<std::string, int> field_index;
  std::unordered_map<std::string, int> aliases;
  std::vector<BlockTemplate> blocks;
  int root = 0;
  std::vector<std::pair<std::string, std::string>> ties;
  std::vector<CheckpointRule> checkpoint;
  std::vector<DescriptionLayer> layers;
};

// "plans/llama/architecture.json#/blocks/MLP/forward/1" of the layer that a pointer's value comes from.
std::string place(const std::vector<DescriptionLayer>& layers, const std::string& pointer);

}  // namespace tpsim
