#include <algorithm>
#include <set>

#include "core/architecture_parser.h"
#include "core/module_leaves.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

template <class Visit>
void for_each_local(const Node& node, const Visit& visit) {
  if (node.kind == NodeKind::name && node.slot >= kFirstLocal) visit(node.slot);
  for (const auto& child : node.children) for_each_local(child, visit);
}

template <class Visit>
void for_each_constant_of(const ProgramTemplate& program, const Visit& visit) {
  for (const auto& statement : program.statements) {
    if (statement.condition) visit(*statement.condition);
    if (statement.count) visit(*statement.count);
    for_each_constant(statement.value, visit);
  }
}

// Parses the parts of one block in its scope: parameters and locals, then config fields.
class BlockParser {
public:
  BlockParser(const ValueObject& object, const DescriptionFaults& faults, const Architecture::Data& data,
              BlockTemplate& block)
      : object_(object), faults_(faults), data_(data), block_(block) {
    scope_.fields = &data.field_index;
    scope_.constants = {{"transformers", Value{std::int64_t{data.dialect.number()}}}};
    for (const auto& parameter : block.parameters) scope_.locals.push_back(parameter.name);
  }

  Result<void> parse() {
    for (const auto step :
         {&BlockParser::class_name, &BlockParser::locals, &BlockParser::tensors, &BlockParser::buffers,
          &BlockParser::attributes, &BlockParser::modules, &BlockParser::forward}) {
      if (auto parsed = (this->*step)(); !parsed) return parsed;
    }
    block_.frame_size = scope_.locals.size();
    return {};
  }

private:
  Result<const ValueObject*> part(std::string_view key) const {
    static const ValueObject kEmpty;
    const Value* value = find(object_, key);
    if (value == nullptr) return &kEmpty;
    return faults_.object(*value, block_.pointer / key);
  }

  // An expression given as text or as a plain number, true or false.
  Result<PlacedExpression> expression(const Value& value, const std::string& pointer) {
    PlacedExpression placed{{}, pointer};
    if (const auto* text = std::get_if<std::string>(&value.data)) {
      auto parsed = parse_expression(*text);
      if (!parsed) return faults_.at(pointer, parsed.error());
      placed.expression = *std::move(parsed);
      if (auto bound = bind_names(placed.expression, scope_); !bound) return faults_.at(pointer, bound.error());
    } else if (std::holds_alternative<ValueList>(value.data) || std::holds_alternative<ValueObject>(value.data)) {
      return faults_.at(pointer, "an expression is needed here, not " + std::string(type_name(value)));
    } else {
      placed.expression.text = to_json(value);
      placed.expression.root.value = value;
    }
    return placed;
  }

  Result<void> class_name() {
    block_.class_name = data_.class_prefix + block_.name;
    const Value* given = find(object_, "class");
    if (given == nullptr) return {};
    auto text = faults_.text(*given, block_.pointer / "class");
    if (!text) return text.error();
    block_.class_name = *std::move(text);
    return {};
  }

  Result<void> locals() {
    auto object = part("locals");
    if (!object) return object.error();
    if ((*object)->size() > kMaxLocals) {
      return faults_.at(block_.pointer / "locals", "more than " + std::to_string(kMaxLocals) + " locals");
    }
    for (const auto& [name, value] : **object) {
      if (!is_identifier(name)) return faults_.at(block_.pointer / "locals" / name, "\"" + name + "\" is not a name");
      scope_.locals.push_back(name);
    }
    std::vector<Local> unsorted;
    for (const auto& [name, value] : **object) {
      auto placed = expression(value, block_.pointer / "locals" / name);
      if (!placed) return placed.error();
      const int slot = kFirstLocal + static_cast<int>(block_.parameters.size() + unsorted.size());
      unsorted.push_back({slot, *std::move(placed), false});
    }
    return sort_locals(std::move(unsorted));
  }

  // So that each may use those before it.
  Result<void> sort_locals(std::vector<Local> waiting) {
    while (!waiting.empty()) {
      const auto ready = std::find_if(waiting.begin(), waiting.end(), [&](const Local& local) {
        bool free = true;
        for_each_local(local.value.expression.root, [&](int slot) {
          free = free && std::none_of(waiting.begin(), waiting.end(), [&](const Local& l) { return l.slot == slot; });
        });
        return free;
      });
      if (ready == waiting.end()) {
        std::string names;
        for (const auto& local : waiting) {
          names += (names.empty() ? "" : ", ") + scope_.locals[static_cast<std::size_t>(local.slot - kFirstLocal)];
        }
        return faults_.at(waiting.front().value.pointer, "locals need each other: " + names);
      }
      block_.locals.push_back(std::move(*ready));
      waiting.erase(ready);
    }
    return {};
  }

  Result<void> tensors() { return tensors_of("tensors", block_.tensors); }
  Result<void> buffers() { return tensors_of("buffers", block_.buffers); }

  Result<void> tensors_of(std::string_view key, std::vector<TensorTemplate>& target) {
    auto object = part(key);
    if (!object) return object.error();
    for (const auto& [name, value] : **object) {
      const std::string pointer = block_.pointer / key / name;
      if (!is_identifier(name)) return faults_.at(pointer, "\"" + name + "\" is not a name");
      auto list = faults_.list(value, pointer);
      if (!list) return list.error();
      TensorTemplate tensor{name, {}, std::nullopt};
      if (auto parsed = extents(**list, pointer, tensor); !parsed) return parsed;
      target.push_back(std::move(tensor));
    }
    return {};
  }

  Result<void> extents(const ValueList& list, const std::string& pointer, TensorTemplate& tensor) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string here = pointer / std::to_string(i);
      const auto* text = std::get_if<std::string>(&list[i].data);
      const bool condition = text != nullptr && text->starts_with("if ");
      if (condition && i + 1 != list.size()) return faults_.at(here, "\"if COND\" comes last");
      auto placed = expression(condition ? Value{text->substr(3)} : list[i], here);
      if (!placed) return placed.error();
      if (condition)
        tensor.condition = *std::move(placed);
      else
        tensor.extents.push_back(*std::move(placed));
    }
    if (tensor.extents.size() <= Shape::kMaxRank) return {};
    return faults_.at(pointer, "a tensor has at most " + std::to_string(Shape::kMaxRank) + " dimensions");
  }

  Result<void> attributes() {
    static const std::vector<std::string> kNames{"in_features", "out_features", "num_experts", "is_embedding"};
    auto object = part("attributes");
    if (!object) return object.error();
    if (auto known = faults_.keys(**object, block_.pointer / "attributes", kNames); !known) return known;
    for (const auto& [name, value] : **object) {
      auto placed = expression(value, block_.pointer / "attributes" / name);
      if (!placed) return placed.error();
      const auto index = std::find(kNames.begin(), kNames.end(), name) - kNames.begin();
      block_.attributes.push_back({static_cast<Attribute>(index), *std::move(placed)});
    }
    return {};
  }

  Result<void> modules() {
    auto object = part("modules");
    if (!object) return object.error();
    for (const auto& [name, value] : **object) {
      const std::string pointer = block_.pointer / "modules" / name;
      if (!is_identifier(name) && !is_number(name)) return faults_.at(pointer, "\"" + name + "\" is not a name");
      auto text = faults_.text(value, pointer);
      if (!text) return text.error();
      auto parsed = parse_expression(*text, Grammar::module);
      if (!parsed) return faults_.at(pointer, parsed.error());
      text_ = *text;
      auto node = lower(parsed->root, false);
      if (!node) return faults_.at(pointer, node.error());
      block_.modules.push_back({name, *text, pointer, *std::move(node)});
    }
    return {};
  }

  static bool is_number(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  }

  Error fault(const Node& node, Error error) const {
    const auto lines = excerpt(text_, node.begin, node.end);
    error.details.insert(error.details.begin(), lines.begin(), lines.end());
    return error;
  }

  Result<ModuleNode> lower(const Node& node, bool in_list) {
    if (node.kind == NodeKind::conditional) return choice(node, in_list);
    if (node.kind == NodeKind::comprehension) {
      if (in_list) return fault(node, input_error("a list of lists is not a module"));
      return list(node);
    }
    if (node.kind == NodeKind::call) return call(node);
    return fault(node, input_error("expected a module: linear(...), BlockName(...), [ELEMENT for i in COUNT]"));
  }

  Result<ModuleNode> choice(const Node& node, bool in_list) {
    ModuleNode lowered;
    lowered.kind = ModuleNodeKind::choice;
    lowered.control = node.children[1];
    if (auto bound = bind_names(*lowered.control, text_, scope_); !bound) return bound.error();
    for (std::size_t branch = 0; branch < node.children.size(); branch += 2) {
      auto child = lower(node.children[branch], in_list);
      if (!child) return child;
      lowered.children.push_back(*std::move(child));
    }
    return lowered;
  }

  Result<ModuleNode> list(const Node& node) {
    ModuleNode lowered;
    lowered.kind = ModuleNodeKind::list;
    lowered.control = node.children[1];
    if (auto bound = bind_names(*lowered.control, text_, scope_); !bound) return bound.error();
    const std::size_t place = scope_.locals.size();
    lowered.variable = kFirstLocal + static_cast<int>(place);
    scope_.locals.push_back(node.text);
    auto element = lower(node.children[0], true);
    scope_.locals[place].clear();
    if (!element) return element;
    lowered.children.push_back(*std::move(element));
    return lowered;
  }

  Result<ModuleNode> call(const Node& node) {
    if (const LeafSpec* leaf = find_leaf(node.text)) {
      ModuleNode lowered;
      lowered.leaf = leaf->kind;
      return with_arguments(node, leaf->parameters, std::move(lowered));
    }
    const auto found = std::find_if(data_.blocks.begin(), data_.blocks.end(),
                                    [&](const BlockTemplate& block) { return block.name == node.text; });
    if (found == data_.blocks.end()) return unknown_module(node);
    std::vector<CallParameter> parameters;
    for (const auto& parameter : found->parameters) parameters.push_back({parameter.name, !parameter.preset});
    ModuleNode lowered;
    lowered.kind = ModuleNodeKind::block;
    lowered.block = static_cast<int>(found - data_.blocks.begin());
    return with_arguments(node, parameters, std::move(lowered));
  }

  Error unknown_module(const Node& node) const {
    std::vector<std::string> known;
    for (const auto& leaf : leaf_specs()) known.emplace_back(leaf.name);
    for (const auto& block : data_.blocks) known.push_back(block.name);
    Error error = input_error("unknown module or block \"" + node.text + "\"");
    std::string near;
    for (const auto& name : nearest(node.text, known)) near += (near.empty() ? "" : ", ") + name;
    if (!near.empty()) error.details.push_back("near: " + near);
    return fault(node, std::move(error));
  }

  Result<ModuleNode> with_arguments(const Node& node, std::span<const CallParameter> parameters, ModuleNode lowered) {
    auto places = match_arguments(node, parameters);
    if (!places) return fault(node, places.error());
    for (const int place : *places) {
      auto& argument = lowered.arguments.emplace_back();
      if (place < 0) continue;
      argument = node.children[static_cast<std::size_t>(place)];
      if (auto bound = bind_names(*argument, text_, scope_); !bound) return bound.error();
    }
    return lowered;
  }

  Result<void> forward() {
    const Value* given = find(object_, "forward");
    if (given == nullptr) return faults_.at(block_.pointer, "the block has no \"forward\"");
    const std::string pointer = block_.pointer / "forward";
    auto lines = faults_.texts(*given, pointer);
    if (!lines) return lines.error();
    ProgramNames names{{}, {}, &scope_};
    for (const auto& module : block_.modules) names.modules.push_back(module.name);
    for (const auto& tensor : block_.tensors) names.tensors.push_back(tensor.name);
    for (const auto& buffer : block_.buffers) names.tensors.push_back(buffer.name);
    for (const auto& name : names.tensors) {
      if (std::count(names.tensors.begin(), names.tensors.end(), name) > 1 ||
          std::count(names.modules.begin(), names.modules.end(), name) > 0) {
        return faults_.at(block_.pointer, "\"" + name + "\" is the name of two things of this block");
      }
    }
    std::size_t line = 0;
    auto program = parse_program(*lines, names, line);
    if (!program) return faults_.at(pointer / std::to_string(line), program.error());
    block_.program = *std::move(program);
    for (auto& statement : block_.program.statements) {
      const auto at = std::find(lines->begin() + 1, lines->end(), statement.text) - lines->begin();
      statement.pointer = pointer / std::to_string(at);
    }
    return {};
  }

  const ValueObject& object_;
  const DescriptionFaults& faults_;
  const Architecture::Data& data_;
  BlockTemplate& block_;
  Scope scope_;
  std::string text_;
};

// Marks what a block really depends on, children first: a parameter that only travels on to blocks that ignore it is
// unused.
class DependencyMarker {
public:
  DependencyMarker(Architecture::Data& data, const DescriptionFaults& faults)
      : data_(data), faults_(faults), state_(data.blocks.size(), State::fresh) {}

  Result<void> mark(int index) {
    auto& state = state_[static_cast<std::size_t>(index)];
    if (state == State::done) return {};
    chain_.push_back(index);
    if (state == State::running) return cycle();
    state = State::running;
    BlockTemplate& block = data_.blocks[static_cast<std::size_t>(index)];
    for (const auto& module : block.modules) {
      if (auto marked = mark_used_blocks(module.node); !marked) return marked;
    }
    mark_block(block);
    state = State::done;
    chain_.pop_back();
    return {};
  }

private:
  enum class State { fresh, running, done };

  Error cycle() const {
    std::string path;
    for (auto at = std::find(chain_.begin(), chain_.end(), chain_.back()); at != chain_.end(); ++at) {
      path += (path.empty() ? "" : " -> ") + data_.blocks[static_cast<std::size_t>(*at)].name;
    }
    return faults_.at(data_.blocks[static_cast<std::size_t>(chain_.back())].pointer,
                      "a block contains itself: " + path);
  }

  Result<void> mark_used_blocks(const ModuleNode& node) {
    if (node.kind == ModuleNodeKind::block) return mark(node.block);
    for (const auto& child : node.children) {
      if (auto marked = mark_used_blocks(child); !marked) return marked;
    }
    return {};
  }

  void mark_block(BlockTemplate& block) const {
    const int own = kFirstLocal + static_cast<int>(block.parameters.size() + block.locals.size());
    std::set<int> used;
    const auto into_body = [&](const Node& node) {
      bool depends = false;
      for_each_local(node, [&](int slot) {
        used.insert(slot);
        depends = depends || slot < own;
      });
      if (depends) block.body_expressions.push_back(&node);
    };
    for (const auto* tensors : {&block.tensors, &block.buffers}) {
      for (const auto& tensor : *tensors) {
        for (const auto& extent : tensor.extents) into_body(extent.expression.root);
        if (tensor.condition) into_body(tensor.condition->expression.root);
      }
    }
    for (const auto& attribute : block.attributes) into_body(attribute.value.expression.root);
    for_each_constant_of(block.program, into_body);
    for (auto& module : block.modules) {
      collect(module.node, used);
      set_per_element(module.node);
    }
    for (auto local = block.locals.rbegin(); local != block.locals.rend(); ++local) {
      local->used = used.contains(local->slot);
      if (local->used) for_each_local(local->value.expression.root, [&](int slot) { used.insert(slot); });
    }
    for (std::size_t i = 0; i < block.parameters.size(); ++i) {
      block.parameters[i].used =
          used.contains(kFirstLocal + static_cast<int>(i)) || block.parameters[i].name == kBorrowed;
    }
  }

  // The slots that a module expression's outcome depends on.
  void collect(const ModuleNode& node, std::set<int>& used) const {
    const auto add = [&](const Node& expression) { for_each_local(expression, [&](int slot) { used.insert(slot); }); };
    if (node.control) add(*node.control);
    for (std::size_t i = 0; i < node.arguments.size(); ++i) {
      const bool matters =
          node.kind == ModuleNodeKind::leaf || data_.blocks[static_cast<std::size_t>(node.block)].parameters[i].used;
      if (node.arguments[i] && matters) add(*node.arguments[i]);
    }
    for (const auto& child : node.children) collect(child, used);
  }

  void set_per_element(ModuleNode& node) const {
    for (auto& child : node.children) set_per_element(child);
    if (node.kind != ModuleNodeKind::list) return;
    std::set<int> used;
    collect(node.children[0], used);
    node.per_element = used.contains(node.variable);
  }

  Architecture::Data& data_;
  const DescriptionFaults& faults_;
  std::vector<State> state_;
  std::vector<int> chain_;
};

Result<void> parse_parameters(const ValueObject& object, const DescriptionFaults& faults,
                              const Architecture::Data& data, BlockTemplate& block) {
  const Value* given = find(object, "parameters_of_block");
  if (given == nullptr) return {};
  const std::string pointer = block.pointer / "parameters_of_block";
  auto texts = faults.texts(*given, pointer);
  if (!texts) return texts.error();
  for (const auto& text : *texts) {
    const std::string here = pointer / std::to_string(block.parameters.size());
    const auto sign = text.find('=');
    BlockParameter parameter{text.substr(0, sign), std::nullopt, false};
    if (!is_identifier(parameter.name)) return faults.at(here, "\"" + parameter.name + "\" is not a name");
    for (const auto& earlier : block.parameters) {
      if (earlier.name == parameter.name) return faults.at(here, "parameter \"" + parameter.name + "\" is named twice");
    }
    if (sign != std::string::npos) {
      auto preset = parse_expression(std::string_view(text).substr(sign + 1));
      if (!preset) return faults.at(here, preset.error());
      Scope scope{&data.field_index, {}, {{"transformers", Value{std::int64_t{data.dialect.number()}}}}};
      if (auto bound = bind_names(*preset, scope); !bound) return faults.at(here, bound.error());
      parameter.preset = PlacedExpression{*std::move(preset), here};
    }
    block.parameters.push_back(std::move(parameter));
  }
  return {};
}

}  // namespace

Result<void> parse_blocks(const ValueObject& blocks, const DescriptionFaults& faults, Architecture::Data& data) {
  static const std::vector<std::string> kKeys{"parameters_of_block", "locals", "tensors", "buffers",
                                              "attributes",          "class",  "modules", "forward"};
  if (blocks.size() > kMaxBlocks) return faults.at("/blocks", "more than " + std::to_string(kMaxBlocks) + " blocks");
  std::vector<const ValueObject*> objects;
  for (const auto& [name, value] : blocks) {
    BlockTemplate block;
    block.name = name;
    block.pointer = "/blocks" / name;
    if (!is_identifier(name)) return faults.at(block.pointer, "\"" + name + "\" is not a name");
    auto object = faults.object(value, block.pointer);
    if (!object) return object.error();
    if (auto known = faults.keys(**object, block.pointer, kKeys); !known) return known;
    if (auto parsed = parse_parameters(**object, faults, data, block); !parsed) return parsed;
    objects.push_back(*object);
    data.blocks.push_back(std::move(block));
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (auto parsed = BlockParser(*objects[i], faults, data, data.blocks[i]).parse(); !parsed) return parsed;
  }
  DependencyMarker marker(data, faults);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (data.blocks[i].name == "ForCausalLM") data.root = static_cast<int>(i);
    if (auto marked = marker.mark(static_cast<int>(i)); !marked) return marked;
  }
  if (data.blocks.empty() || data.blocks[static_cast<std::size_t>(data.root)].name != "ForCausalLM") {
    return faults.at("/blocks", "there is no block \"ForCausalLM\", the root");
  }
  if (!data.blocks[static_cast<std::size_t>(data.root)].parameters.empty()) {
    return faults.at("/blocks/ForCausalLM", "the root block has no parameters");
  }
  return {};
}

}  // namespace tpsim
