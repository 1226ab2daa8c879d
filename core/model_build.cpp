#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>

#include "core/architecture_data.h"
#include "core/checked.h"
#include "core/config_type.h"
#include "core/expression_functions.h"
#include "core/model_fields.h"
#include "core/module_leaves.h"
#include "core/rotary_config.h"

namespace tpsim {

namespace {

constexpr int kAbsent = -1;  // a module that is left out
constexpr double kDefaultRotaryBase = 10000;

std::size_t mix(std::size_t hash, std::size_t more) { return (hash ^ more) * 0x9E3779B97F4A7C15u; }

std::size_t hash_of(const Value& value) {
  if (const auto i = as_integer(value)) return std::hash<std::int64_t>{}(*i);
  if (const auto* text = std::get_if<std::string>(&value.data)) return std::hash<std::string>{}(*text);
  return value.data.index();
}

// What decides the outcome of a block: its number, and its arguments or its children and the values that its body uses.
struct BlockKey {
  int block = 0;
  std::vector<int> children;  // types; lists by their length and elements
  std::vector<Value> values;
  std::vector<std::size_t> failed;  // values that cannot be worked out: they stand in branches not taken
  bool operator==(const BlockKey&) const = default;
};

struct HashBlockKey {
  std::size_t operator()(const BlockKey& key) const {
    auto hash = static_cast<std::size_t>(key.block);
    for (const int child : key.children) hash = mix(hash, static_cast<std::size_t>(child));
    for (const auto& value : key.values) hash = mix(hash, hash_of(value));
    return hash;
  }
};

struct HashType {
  std::size_t operator()(const ModuleType& type) const {
    auto hash = mix(static_cast<std::size_t>(type.kind), type.program.code.size());
    for (const auto& parameter : type.parameters) {
      for (const auto extent : parameter.shape) hash = mix(hash, static_cast<std::size_t>(extent));
    }
    for (const auto& child : type.children) {
      for (const int t : child.types) hash = mix(hash, static_cast<std::size_t>(t));
    }
    for (const auto& instruction : type.program.code) {
      for (const auto number : instruction.ints) hash = mix(hash, static_cast<std::size_t>(number));
    }
    return mix(hash, static_cast<std::size_t>(type.num_experts.value_or(0)));
  }
};

// Builds the tree bottom-up. A failed function returns false or nullopt, with the error kept.
class ModelBuilder {
public:
  ModelBuilder(const Architecture::Data& data, const Config& config)
      : data_(data), config_(config), fields_(data, config) {}

  Result<Model> build() {
    std::vector<Value> none;
    const auto root = block(data_.root, none);
    if (!root) return *error_;
    model_.root = *root;
    describe();
    if (!count()) return *error_;
    return std::move(model_);
  }

private:
  bool fail(Error error) {
    if (!error_) error_ = std::move(error);
    return false;
  }

  const Value* evaluate(const Node& node, std::string_view text, const std::string& pointer, std::vector<Value>& frame,
                        Value& scratch) {
    Evaluator evaluator(fields_, frame);
    const Value* value = evaluator.evaluate(node, scratch);
    if (value == nullptr) fail(fields_.error(evaluator.fault(), text, pointer));
    return value;
  }

  const Value* evaluate(const PlacedExpression& placed, std::vector<Value>& frame, Value& scratch) {
    return evaluate(placed.expression.root, placed.expression.text, placed.pointer, frame, scratch);
  }

  bool spend(std::int64_t instances, const std::string& pointer) {
    instances_ += instances;
    return instances_ <= kMaxModuleInstances ||
           fail(input_error("the config describes more than " + std::to_string(kMaxModuleInstances) + " modules",
                            place(data_.layers, pointer)));
  }

  // The type of a block with these arguments (by parameter; unused ones are not looked at).
  std::optional<int> block(int index, std::vector<Value>& arguments) {
    const BlockTemplate& source = data_.blocks[static_cast<std::size_t>(index)];
    BlockKey call{index, {}, {}, {}};
    for (std::size_t i = 0; i < source.parameters.size(); ++i) {
      if (source.parameters[i].used) call.values.push_back(arguments[i]);
    }
    if (const auto known = calls_.find(call); known != calls_.end()) return known->second;
    if (!spend(1, source.pointer)) return std::nullopt;
    std::vector<Value> frame(source.frame_size);
    std::move(arguments.begin(), arguments.end(), frame.begin());
    if (!set_locals(source, frame)) return std::nullopt;
    const auto type = instance(index, source, frame);
    if (type) calls_.emplace(std::move(call), *type);
    return type;
  }

  bool set_locals(const BlockTemplate& source, std::vector<Value>& frame) {
    for (const auto& local : source.locals) {
      if (!local.used) continue;
      Value scratch;
      const Value* value = evaluate(local.value, frame, scratch);
      if (value == nullptr) return false;
      frame[static_cast<std::size_t>(local.slot - kFirstLocal)] = value == &scratch ? std::move(scratch) : *value;
    }
    return true;
  }

  std::optional<int> instance(int index, const BlockTemplate& source, std::vector<Value>& frame) {
    std::vector<Child> children;
    std::vector<ChildState> states;
    BlockKey key{index, {}, {}, {}};
    for (const auto& module : source.modules) {
      Child child{module.name, false, {}};
      if (!modules(module, module.node, frame, child)) return std::nullopt;
      const bool absent = child.types.empty();
      states.push_back({absent ? kAbsent : static_cast<int>(children.size()), child.is_list,
                        absent ? kAbsent : child.types[0], static_cast<int>(child.types.size())});
      key.children.push_back(child.is_list ? static_cast<int>(child.types.size()) : kAbsent);
      key.children.insert(key.children.end(), child.types.begin(), child.types.end());
      if (!absent) children.push_back(std::move(child));
    }
    add_body_values(source, frame, key);
    if (const auto known = bodies_.find(key); known != bodies_.end()) return known->second;
    ModuleType type;
    type.class_name = source.class_name;
    type.children = std::move(children);
    if (!body(source, frame, states, type)) return std::nullopt;
    const int number = intern(std::move(type));
    bodies_.emplace(std::move(key), number);
    return number;
  }

  void add_body_values(const BlockTemplate& source, std::vector<Value>& frame, BlockKey& key) {
    Evaluator evaluator(fields_, frame);
    for (const Node* node : source.body_expressions) {
      Value scratch;
      const Value* value = evaluator.evaluate(*node, scratch);
      if (value == nullptr) key.failed.push_back(key.values.size());
      key.values.push_back(value == nullptr ? Value{} : *value);
    }
  }

  // Types that are alike in every respect have one number.
  int intern(ModuleType type) {
    const auto hash = HashType{}(type);
    const auto [begin, end] = interned_.equal_range(hash);
    for (auto at = begin; at != end; ++at) {
      if (model_.types[static_cast<std::size_t>(at->second)] == type) return at->second;
    }
    const int number = static_cast<int>(model_.types.size());
    model_.types.push_back(std::move(type));
    interned_.emplace(hash, number);
    return number;
  }

  // Adds the types of a module expression to the child: none, one, or those of a list.
  bool modules(const ModuleTemplate& module, const ModuleNode& node, std::vector<Value>& frame, Child& child) {
    switch (node.kind) {
      case ModuleNodeKind::choice: {
        Value scratch;
        const Value* condition = evaluate(*node.control, module.text, module.pointer, frame, scratch);
        if (condition == nullptr) return false;
        const std::size_t branch = truthy(*condition) ? 0 : 1;
        return branch >= node.children.size() || modules(module, node.children[branch], frame, child);
      }
      case ModuleNodeKind::list: return list(module, node, frame, child);
      case ModuleNodeKind::leaf:
      case ModuleNodeKind::block: {
        const auto type = node.kind == ModuleNodeKind::leaf ? leaf(module, node, frame) : call(module, node, frame);
        if (type) child.types.push_back(*type);
        return type.has_value();
      }
    }
    return false;
  }

  bool list(const ModuleTemplate& module, const ModuleNode& node, std::vector<Value>& frame, Child& child) {
    child.is_list = true;
    Value scratch;
    const Value* range = evaluate(*node.control, module.text, module.pointer, frame, scratch);
    if (range == nullptr) return false;
    const auto* elements = std::get_if<ValueList>(&range->data);
    const auto* given = std::get_if<std::int64_t>(&range->data);
    const std::int64_t count = elements != nullptr ? static_cast<std::int64_t>(elements->size())
                               : given != nullptr  ? *given
                                                   : 0;
    if (count < 1 || count > kMaxListElements) return bad_count(module, node, *range);
    if (!spend(count, module.pointer)) return false;
    for (std::int64_t i = 0; i < count; ++i) {
      if (i > 0 && !node.per_element) {
        child.types.resize(static_cast<std::size_t>(count), child.types[0]);
        break;
      }
      frame[static_cast<std::size_t>(node.variable - kFirstLocal)] =
          elements != nullptr ? (*elements)[static_cast<std::size_t>(i)] : Value{i};
      const std::size_t before = child.types.size();
      if (!modules(module, node.children[0], frame, child)) return false;
      if (child.types.size() == before) {
        return fail(input_error("an element of a module list is left out by its condition",
                                place(data_.layers, module.pointer)));
      }
    }
    return true;
  }

  // A value that an expression has and that does not fit: "SUBJECT is 0; an extent is at least 1".
  bool bad_value(const std::string& subject, const std::string& fault, const Value& value, const Node& node,
                 std::string_view text, const std::string& pointer) {
    const bool field = node.kind == NodeKind::name && node.slot < kFirstLocal;
    if (field && value.is_null()) {
      return fail(fields_.error({fault, node.begin, node.end, node.slot, "a value", std::nullopt}, text, pointer));
    }
    const std::string named = node.kind == NodeKind::name ? "\"" + node.text + "\"" : subject;
    return fail(fields_.misfit(named + " " + fault, node, text, pointer));
  }

  bool bad_count(const ModuleTemplate& module, const ModuleNode& node, const Value& range) {
    const std::string fault = "is " + to_json(range).substr(0, 60) + "; an integer from 1 to " +
                              std::to_string(kMaxListElements) + " is needed";
    return bad_value("the length of \"" + module.name + "\"", fault, range, *node.control, module.text, module.pointer);
  }

  std::optional<int> leaf(const ModuleTemplate& module, const ModuleNode& node, std::vector<Value>& frame) {
    std::array<Value, 8> scratch;
    std::array<const Value*, 8> values{};
    for (std::size_t i = 0; i < node.arguments.size(); ++i) {
      if (!node.arguments[i]) continue;
      values[i] = evaluate(*node.arguments[i], module.text, module.pointer, frame, scratch[i]);
      if (values[i] == nullptr) return std::nullopt;
    }
    ModuleType type;
    LeafFault fault;
    const std::span<const Value* const> given(values.data(), node.arguments.size());
    if (make_leaf(node.leaf, given, data_.class_prefix, type, fault)) {
      if (type.kind == ModuleKind::rotary) complete(type);
      return intern(std::move(type));
    }
    const std::string subject =
        "\"" + std::string(leaf_spec(node.leaf).parameters[fault.bad].name) + "\" of \"" + module.name + "\"";
    bad_value(subject, fault.message, *values[fault.bad], *node.arguments[fault.bad], module.text, module.pointer);
    return std::nullopt;
  }

  void complete(ModuleType& type) {
    const auto preset = [&](std::string_view field, double otherwise) {
      const Value* value = fields_.find(field);
      return value == nullptr ? otherwise : as_real(*value).value_or(otherwise);
    };
    for (Rotary& rotary : type.rotaries)
      read_rotary(config_, preset("rope_theta", kDefaultRotaryBase), preset("max_position_embeddings", 0), rotary);
  }

  std::optional<int> call(const ModuleTemplate& module, const ModuleNode& node, std::vector<Value>& frame) {
    const BlockTemplate& callee = data_.blocks[static_cast<std::size_t>(node.block)];
    std::vector<Value> arguments(callee.parameters.size());
    bool borrowed = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const BlockParameter& parameter = callee.parameters[i];
      if (!parameter.used) continue;
      Value scratch;
      const Value* value = nullptr;
      if (node.arguments[i]) {
        value = evaluate(*node.arguments[i], module.text, module.pointer, frame, scratch);
      } else {
        std::vector<Value> own(frame_size(parameter.preset->expression.root));
        value = evaluate(*parameter.preset, own, scratch);
      }
      if (value == nullptr) return std::nullopt;
      borrowed = borrowed || (parameter.name == kBorrowed && truthy(*value));
      arguments[i] = value == &scratch ? std::move(scratch) : *value;
    }
    const auto built = block(node.block, arguments);
    return built && borrowed ? borrowed_type(*built) : built;
  }

  // The same module with parameters that are another instance's.
  int borrowed_type(int index) {
    ModuleType type = model_.types[static_cast<std::size_t>(index)];
    for (ParameterSpec& parameter : type.parameters) parameter.borrowed = true;
    for (Child& child : type.children)
      for (int& element : child.types) element = borrowed_type(element);
    return intern(std::move(type));
  }

  bool body(const BlockTemplate& source, std::vector<Value>& frame, const std::vector<ChildState>& states,
            ModuleType& type) {
    std::vector<std::string> absent;
    if (!tensors(source.tensors, frame, type.parameters, absent)) return false;
    if (!tensors(source.buffers, frame, type.buffers, absent)) return false;
    if (!attributes(source, frame, type)) return false;
    const ProgramContext context{states, model_.types, absent, &fields_, &frame};
    ProgramFault fault;
    auto program = compile_program(source.program, context, fault);
    if (!program) {
      const bool known = fault.statement != nullptr;
      const std::string& text = known ? fault.statement->text : source.name;
      return fail(
          fields_.error(fault.evaluation, text, known ? fault.statement->pointer : source.pointer + "/forward"));
    }
    type.program = *std::move(program);
    return true;
  }

  bool tensors(const std::vector<TensorTemplate>& templates, std::vector<Value>& frame,
               std::vector<ParameterSpec>& specs, std::vector<std::string>& absent) {
    for (const auto& tensor : templates) {
      Value scratch;
      const Value* condition = tensor.condition ? evaluate(*tensor.condition, frame, scratch) : nullptr;
      if (tensor.condition && condition == nullptr) return false;
      if (tensor.condition && !truthy(*condition)) {
        absent.push_back(tensor.name);
        continue;
      }
      ParameterSpec spec{tensor.name, {}};
      for (const auto& placed : tensor.extents) {
        const Value* extent = evaluate(placed, frame, scratch);
        if (extent == nullptr) return false;
        const auto message = extent_fault(*extent);
        if (!message.empty()) {
          return bad_value("an extent of \"" + tensor.name + "\"", message, *extent, placed.expression.root,
                           placed.expression.text, placed.pointer);
        }
        spec.shape.push_back(std::get<std::int64_t>(extent->data));
      }
      specs.push_back(std::move(spec));
    }
    return true;
  }

  bool attributes(const BlockTemplate& source, std::vector<Value>& frame, ModuleType& type) {
    for (const auto& attribute : source.attributes) {
      Value scratch;
      const Value* value = evaluate(attribute.value, frame, scratch);
      if (value == nullptr) return false;
      const auto message = value->is_null() ? std::string{} : extent_fault(*value);
      if (!message.empty()) {
        return bad_value("an attribute of \"" + source.name + "\"", message, *value, attribute.value.expression.root,
                         attribute.value.expression.text, attribute.value.pointer);
      }
      if (value->is_null()) continue;
      std::optional<std::int64_t>* const targets[] = {&type.in_features, &type.out_features, &type.num_experts,
                                                      &type.is_embedding};
      *targets[static_cast<std::size_t>(attribute.attribute)] = std::get<std::int64_t>(value->data);
    }
    return true;
  }

  std::int64_t headline(std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
      const Value* value = fields_.find(name);
      const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(&value->data);
      if (number != nullptr && *number > 0) return *number;
    }
    return 0;
  }

  void describe() {
    model_.model_type = data_.model_type;
    model_.class_name = data_.class_name;
    model_.base = data_.base;
    model_.source = data_.source;
    model_.unknown_parts = data_.unknown_parts;
    model_.checkpoint = data_.checkpoint;
    model_.dtype = config_.dtype;
    const Value* tied = fields_.find("tie_word_embeddings");
    const Value* own = fields_.find(kTextConfigTies);
    const auto says = [&](const Value* value) { return value != nullptr && truthy(*value) && !data_.ties.empty(); };
    if (says(tied)) model_.ties = data_.ties;
    model_.tied = says(own != nullptr ? own : tied);
    model_.layers = headline({"num_hidden_layers", "n_layer"});
    model_.hidden_size = headline({"hidden_size", "n_embd"});
    model_.query_heads = headline({"num_attention_heads", "n_head"});
    model_.kv_heads = headline({"num_key_value_heads"});
    if (model_.kv_heads == 0) model_.kv_heads = model_.query_heads;
    model_.head_dim = headline({"head_dim"});
    if (model_.head_dim == 0 && model_.query_heads > 0) model_.head_dim = model_.hidden_size / model_.query_heads;
    model_.vocab_size = headline({"vocab_size"});
    model_.intermediate_size = headline({"intermediate_size", "n_inner"});
    model_.experts = headline({"num_local_experts", "num_experts", "n_routed_experts"});
    model_.experts_per_token = headline({"num_experts_per_tok"});
    model_.max_positions = headline({"max_position_embeddings", "n_positions"});
    if (!says(fields_.find("rope_widths_differ"))) model_.qk_rope_head_dim = headline({"qk_rope_head_dim"});
  }

  // Children come before their parents in `types`, so one pass adds everything up.
  bool count() {
    std::vector<std::int64_t> elements(model_.types.size()), tensors(model_.types.size());
    for (std::size_t i = 0; i < model_.types.size(); ++i) {
      const ModuleType& type = model_.types[i];
      tensors[i] = static_cast<std::int64_t>(type.parameters.size());
      for (const auto& parameter : type.parameters) {
        std::int64_t numel = 1;
        for (const auto extent : parameter.shape) numel = saturating_mul(numel, extent);
        elements[i] = saturating_add(elements[i], numel);
      }
      for (const auto& child : type.children) {
        for (const int t : child.types) {
          elements[i] = saturating_add(elements[i], elements[static_cast<std::size_t>(t)]);
          tensors[i] = saturating_add(tensors[i], tensors[static_cast<std::size_t>(t)]);
        }
      }
    }
    const auto root = static_cast<std::size_t>(model_.root);
    if (elements[root] == kSaturated) {
      return fail(input_error("the model has more parameters than a 64-bit count holds", config_.file));
    }
    return tensors[root] <= kMaxParameterTensors ||
           fail(input_error("the model has more than " + std::to_string(kMaxParameterTensors) + " parameter tensors",
                            config_.file));
  }

  const Architecture::Data& data_;
  const Config& config_;
  FieldValues fields_;
  Model model_;
  std::unordered_map<BlockKey, int, HashBlockKey> calls_, bodies_;
  std::unordered_multimap<std::size_t, int> interned_;
  std::int64_t instances_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Model> build_model(const Architecture& architecture, const Config& config) {
  return ModelBuilder(architecture.data(), config).build();
}

}  // namespace tpsim
