#include "core/program_parser.h"

#include <algorithm>

#include "core/call_arguments.h"
#include "core/program_operations.h"
#include "core/program_text.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

int index_of(const std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

// "model" of `model.decoder`.
std::string first_part(const std::string& name) { return name.substr(0, name.find('.')); }

void shift(Node& node, int by) {
  node.begin += by;
  node.end += by;
  for (auto& child : node.children) shift(child, by);
}

// Lowers one statement after another; every variable is known from the statement on that assigns it.
class ProgramParser {
public:
  explicit ProgramParser(const ProgramNames& names) : names_(names) {}

  Result<void> inputs(std::string_view line) {
    line = trimmed(line);
    if (line.size() < 2 || line.front() != '(' || line.back() != ')') {
      return input_error("the first line of a forward names its inputs: \"(x, mask)\"");
    }
    const auto inside = trimmed(line.substr(1, line.size() - 2));
    if (inside.empty()) return {};
    for (const auto& word : words_between_commas(inside)) {
      if (!is_identifier(word)) return input_error("\"" + word + "\" is not a name");
      if (index_of(program_.inputs, word) >= 0) return input_error("input \"" + word + "\" is named twice");
      program_.inputs.push_back(word);
    }
    program_.variables = program_.inputs;
    return {};
  }

  Result<void> statement(const std::string& line) {
    Statement statement;
    statement.text = line;
    text_ = line;
    statement.depth = static_cast<int>(std::min(line.find_first_not_of(' '), line.size()));
    if (auto placed = indented(statement.depth); !placed) return placed;
    auto parsed = body(line, statement);
    if (parsed) program_.statements.push_back(std::move(statement));
    return parsed;
  }

  ProgramTemplate take() { return std::move(program_); }

private:
  Error fault(const Node& node, std::string message) const {
    Error error = input_error(std::move(message));
    error.details = excerpt(text_, node.begin, node.end);
    return error;
  }

  Error with_excerpt(Error error, const Node& node) const {
    const auto lines = excerpt(text_, node.begin, node.end);
    error.details.insert(error.details.begin(), lines.begin(), lines.end());
    return error;
  }

  int offset(std::string_view part) const { return static_cast<int>(part.data() - text_.data()); }

  Result<Node> expression(std::string_view part, Grammar grammar) const {
    auto parsed = parse_expression(part, grammar);
    if (!parsed) return parsed.error();
    shift(parsed->root, offset(part));
    return std::move(parsed->root);
  }

  // A body is indented deeper than its "repeat", and ends where a line is indented as that or less.
  Result<void> indented(int depth) const {
    const int before = program_.statements.empty() ? 0 : program_.statements.back().depth;
    const bool opened = !program_.statements.empty() && program_.statements.back().kind == StatementKind::repeat;
    if (opened == (depth > before)) return {};
    return input_error(opened ? "the body of a \"repeat\" is indented" : "only the body of a \"repeat\" is indented");
  }

  // `repeat COUNT:`
  Result<void> repeat(std::string_view line, Statement& statement) {
    if (!line.ends_with(':')) return input_error("\"repeat COUNT:\" stands alone, its body indented below");
    statement.kind = StatementKind::repeat;
    auto count = expression(line.substr(7, line.size() - 8), Grammar::value);
    if (!count) return count.error();
    if (auto bound = constant(*count); !bound) return bound;
    statement.count = *std::move(count);
    return {};
  }

  Result<void> body(std::string_view line, Statement& statement) {
    line = trimmed(line);
    if (line.starts_with("no_grad:")) {
      statement.no_grad = true;
      return body(line.substr(8), statement);
    }
    if (line.starts_with("repeat ")) return repeat(line, statement);
    if (line.starts_with("if ")) return guarded(line, statement);
    if (line.starts_with("for ")) return loop(line, statement);
    if (line == "return" || line.starts_with("return ")) {
      statement.kind = StatementKind::give_back;
      return value(trimmed(line.substr(6)), statement);
    }
    const auto sign = find_outside(line, '=');
    if (sign == std::string_view::npos) {
      return input_error(
          "a statement is \"name = ...\", \"a, b = ...\", \"return ...\", \"for layer in list: ...\" or "
          "\"if CONDITION: ...\"");
    }
    if (auto parsed = value(trimmed(line.substr(sign + 1)), statement); !parsed) return parsed;
    return targets(trimmed(line.substr(0, sign)), statement);
  }

  Result<void> guarded(std::string_view line, Statement& statement) {
    if (statement.condition) return input_error("a statement has at most one \"if\"");
    const auto colon = find_outside(line, ':');
    if (colon == std::string_view::npos) return input_error("\":\" is missing after the condition");
    auto condition = expression(line.substr(3, colon - 3), Grammar::value);
    if (!condition) return condition.error();
    if (auto bound = constant(*condition); !bound) return bound;
    statement.condition = *std::move(condition);
    return body(line.substr(colon + 1), statement);
  }

  // `for layer in layers: x = layer(x, ...)`
  Result<void> loop(std::string_view line, Statement& statement) {
    statement.kind = StatementKind::loop;
    const auto colon = find_outside(line, ':');
    const auto head = line.substr(4, colon == std::string_view::npos ? colon : colon - 4);
    const auto in = head.find(" in ");
    if (colon == std::string_view::npos || in == std::string_view::npos) {
      return input_error("a loop is \"for layer in layers: x = layer(x, ...)\"");
    }
    loop_name_ = trimmed(head.substr(0, in));
    const std::string list(trimmed(head.substr(in + 4)));
    loop_child_ = index_of(names_.modules, list);
    if (!is_identifier(loop_name_)) return input_error("\"" + loop_name_ + "\" is not a name");
    if (loop_child_ < 0) return unknown("module list", list, names_.modules);
    const auto step = trimmed(line.substr(colon + 1));
    const auto sign = find_outside(step, '=');
    if (sign == std::string_view::npos) return input_error("the body of a loop is \"x = " + loop_name_ + "(x, ...)\"");
    auto parsed = value(trimmed(step.substr(sign + 1)), statement);
    loop_name_.clear();
    if (!parsed) return parsed;
    if (statement.value.kind != FlowKind::call || statement.value.index != loop_child_) {
      return input_error("the body of a loop calls the element: \"x = layer(x, ...)\"");
    }
    if (parsed = targets(trimmed(step.substr(0, sign)), statement); !parsed) return parsed;
    return carried(statement);
  }

  // The first argument of a loop's call is the first name that it assigns.
  Result<void> carried(const Statement& statement) const {
    const auto& arguments = statement.value.children;
    const auto is_carried = [&](const FlowNode& node) {
      return node.kind == FlowKind::variable && node.index == statement.targets.front();
    };
    if (arguments.empty() || !is_carried(arguments.front()) || statement.value.keywords.size() == arguments.size()) {
      return input_error("the first argument of a loop's call is the first name it assigns: \"x = layer(x, ...)\"");
    }
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      if (is_carried(arguments[i])) return input_error("a loop hands on \"x\" as its first argument only");
    }
    return {};
  }

  Result<void> targets(std::string_view text, Statement& statement) {
    statement.takes_apart = text.find(',') != std::string_view::npos;
    if (text.ends_with(',')) text.remove_suffix(1);
    for (const auto& word : words_between_commas(text)) {
      if (!is_identifier(word)) return input_error("\"" + word + "\" is not a name that can be assigned");
      int variable = index_of(program_.variables, word);
      if (variable < 0) {
        variable = static_cast<int>(program_.variables.size());
        program_.variables.push_back(word);
      }
      statement.targets.push_back(variable);
    }
    return outputs_fit(statement.value, statement);
  }

  Result<void> outputs_fit(const FlowNode& node, const Statement& statement) const {
    const std::size_t names = statement.targets.size();
    if (node.kind == FlowKind::operation && node.operation->outputs > 1 &&
        (!statement.takes_apart || names != static_cast<std::size_t>(node.operation->outputs))) {
      return input_error(std::string(node.operation->name) + " gives " + std::to_string(node.operation->outputs) +
                         " values, " + std::to_string(names) + " assigned");
    }
    if (node.kind == FlowKind::tuple && statement.takes_apart && names != node.children.size()) {
      return input_error(std::to_string(node.children.size()) + " values, " + std::to_string(names) + " names");
    }
    return {};
  }

  Result<void> value(std::string_view text, Statement& statement) {
    auto parsed = expression(text, Grammar::forward);
    if (!parsed) return parsed.error();
    auto flow = lower(*parsed, true);
    if (!flow) return flow.error();
    statement.value = *std::move(flow);
    return {};
  }

  Error unknown(const char* what, const std::string& name, const std::vector<std::string>& known) const {
    Error error = input_error(std::string("unknown ") + what + " \"" + name + "\"");
    std::string near;
    for (const auto& word : nearest(name, known)) near += (near.empty() ? "" : ", ") + word;
    if (!near.empty()) error.details.push_back("near: " + near);
    return error;
  }

  // Binds a config expression. Tensors in it are an error.
  Result<void> constant(Node& node) const {
    if (const Node* tensor = find_flow(node)) {
      return fault(*tensor, "\"" + tensor->text + "\" is a tensor or a module; a value of the config is needed here");
    }
    return bind_names(node, text_, *names_.scope);
  }

  bool is_flow_name(const Node& node) const {
    const bool own = index_of(program_.variables, node.text) >= 0 || index_of(names_.tensors, node.text) >= 0;
    return own || node.text.find('.') != std::string::npos;
  }
  // `item(list, i, ...)`: a call of one element.
  static bool is_item(const Node& node) { return node.kind == NodeKind::call && node.text == "item"; }
  bool is_flow_call(const Node& node) const {
    return index_of(names_.modules, first_part(node.text)) >= 0 || find_operation(node.text) != nullptr ||
           is_item(node) || (!loop_name_.empty() && node.text == loop_name_);
  }

  // The first part of an expression that is a tensor; nullptr: the expression is over the config alone.
  const Node* find_flow(const Node& node) const {
    if (node.kind == NodeKind::name && is_flow_name(node)) return &node;
    if (node.kind == NodeKind::call && is_flow_call(node)) return &node;
    for (const auto& child : node.children) {
      if (const Node* found = find_flow(child)) return found;
    }
    return nullptr;
  }

  Result<FlowNode> lower(const Node& node, bool whole) {
    FlowNode flow;
    flow.begin = node.begin;
    flow.end = node.end;
    if (node.kind == NodeKind::tuple) return tuple(node, std::move(flow), whole);
    if (node.kind == NodeKind::call && (is_flow_call(node) || find_flow(node) != nullptr)) {
      return call(node, std::move(flow), whole);
    }
    if (node.kind == NodeKind::conditional && branches_flow(node)) return choice(node, std::move(flow), whole);
    if (find_flow(node) == nullptr) return config_value(node, std::move(flow));
    if (node.kind == NodeKind::name) return name(node, std::move(flow));
    if (node.kind == NodeKind::binary) return arithmetic(node, std::move(flow));
    if (node.kind == NodeKind::negate) return negated(node, std::move(flow));
    return fault(node, "tensors have + - * / and the operations of docs/architecture.md, nothing else");
  }

  bool branches_flow(const Node& node) const {
    return find_flow(node.children[0]) != nullptr || find_flow(node.children[2]) != nullptr;
  }

  Result<FlowNode> config_value(const Node& node, FlowNode flow) const {
    Node bound = node;
    if (auto result = constant(bound); !result) return result.error();
    flow.kind = FlowKind::constant;
    flow.constants.emplace_back(std::move(bound));
    return flow;
  }

  Result<FlowNode> tuple(const Node& node, FlowNode flow, bool whole) {
    if (!whole) return fault(node, "a tuple stands alone: assign it to a name first");
    flow.kind = FlowKind::tuple;
    for (const auto& child : node.children) {
      auto element = lower(child, false);
      if (!element) return element.error();
      flow.children.push_back(*std::move(element));
    }
    return flow;
  }

  Result<FlowNode> choice(const Node& node, FlowNode flow, bool whole) {
    flow.kind = FlowKind::choice;
    Node condition = node.children[1];
    if (auto bound = constant(condition); !bound) return bound.error();
    flow.constants.emplace_back(std::move(condition));
    for (const std::size_t branch : {0u, 2u}) {
      auto lowered = lower(node.children[branch], whole);
      if (!lowered) return lowered.error();
      flow.children.push_back(*std::move(lowered));
    }
    return flow;
  }

  Result<FlowNode> name(const Node& node, FlowNode flow) const {
    flow.index = index_of(program_.variables, node.text);
    flow.kind = flow.index >= 0 ? FlowKind::variable : FlowKind::tensor;
    if (flow.index >= 0) return flow;
    flow.text = node.text;
    const auto dot = node.text.rfind('.');
    if (dot == std::string::npos) return flow;
    flow.text = node.text.substr(dot + 1);
    flow.index = index_of(names_.modules, node.text.substr(0, dot));
    if (flow.index < 0) return with_excerpt(unknown("module", node.text.substr(0, dot), names_.modules), node);
    return flow;
  }

  Result<FlowNode> arithmetic(const Node& node, FlowNode flow) {
    const bool basic = node.arithmetic == Arithmetic::add || node.arithmetic == Arithmetic::subtract ||
                       node.arithmetic == Arithmetic::multiply || node.arithmetic == Arithmetic::divide;
    if (!basic) return fault(node, "tensors have + - * / only");
    flow.kind = FlowKind::arithmetic;
    flow.arithmetic = node.arithmetic;
    for (const auto& operand : node.children) {
      if (find_flow(operand) == nullptr) {
        Node bound = operand;
        if (auto result = constant(bound); !result) return result.error();
        flow.number_first = flow.children.empty();
        flow.constants.emplace_back(std::move(bound));
        continue;
      }
      auto tensor = lower(operand, false);
      if (!tensor) return tensor.error();
      flow.children.push_back(*std::move(tensor));
    }
    if (flow.number_first && node.arithmetic == Arithmetic::divide) {
      return fault(node, "a number divided by a tensor is not an operation");
    }
    return flow;
  }

  Result<FlowNode> negated(const Node& node, FlowNode flow) {
    auto tensor = lower(node.children[0], false);
    if (!tensor) return tensor.error();
    flow.kind = FlowKind::arithmetic;
    flow.arithmetic = Arithmetic::multiply;
    Node minus_one;
    minus_one.value.data = std::int64_t{-1};
    flow.constants.emplace_back(std::move(minus_one));
    flow.children.push_back(*std::move(tensor));
    return flow;
  }

  Result<FlowNode> item(const Node& node, FlowNode flow) {
    const int list = node.positional() < 2 ? -1 : index_of(names_.modules, node.children[0].text);
    if (list < 0) return fault(node, "item() is \"item(list, i, x, ...)\" with a list of modules");
    Node call = node;
    call.text = node.children[0].text;
    call.children.erase(call.children.begin(), call.children.begin() + 2);
    auto lowered = module_call(call, std::move(flow), list);
    if (!lowered) return lowered;
    Node index = node.children[1];
    if (auto bound = constant(index); !bound) return bound.error();
    lowered->constants.emplace_back(std::move(index));
    return lowered;
  }

  Result<FlowNode> call(const Node& node, FlowNode flow, bool whole) {
    if (is_item(node)) return item(node, std::move(flow));
    const int child = node.text == loop_name_ ? loop_child_ : index_of(names_.modules, first_part(node.text));
    if (child >= 0) return module_call(node, std::move(flow), child);
    const OperationSpec* spec = find_operation(node.text);
    if (spec == nullptr) return unknown_call(node);
    if (spec->outputs != 1 && !whole) {
      return fault(node, node.text + " gives several values: assign them to names first");
    }
    flow.kind = FlowKind::operation;
    flow.operation = spec;
    return operation(node, std::move(flow));
  }

  Error unknown_call(const Node& node) const {
    std::vector<std::string> known = names_.modules;
    for (const auto& operation : operations()) known.emplace_back(operation.name);
    return with_excerpt(unknown("module or operation", node.text, known), node);
  }

  Result<FlowNode> module_call(const Node& node, FlowNode flow, int child) {
    flow.kind = FlowKind::call;
    flow.index = child;
    flow.text = first_part(node.text);
    if (flow.text.size() < node.text.size()) flow.member = node.text.substr(flow.text.size() + 1);
    flow.keywords = node.keywords;
    for (const auto& argument : node.children) {
      auto lowered = lower(argument, false);
      if (!lowered) return lowered.error();
      flow.children.push_back(*std::move(lowered));
    }
    return flow;
  }

  Result<FlowNode> operation(const Node& node, FlowNode flow) {
    const auto parameters = flow.operation->parameters;
    flow.constants.resize(parameters.size());
    flow.inputs.assign(parameters.size(), -1);
    auto places = argument_places(node, *flow.operation);
    if (!places) return with_excerpt(places.error(), node);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const int at = (*places)[i];
      if (at < 0) continue;
      if (auto filled = argument(node, i, static_cast<std::size_t>(at), flow); !filled) return filled.error();
    }
    return flow;
  }

  static bool takes_rest(const OperationParameter& parameter) {
    return parameter.take == Take::tensors || parameter.take == Take::integers;
  }

  static Result<std::vector<int>> argument_places(const Node& node, const OperationSpec& spec) {
    std::vector<CallParameter> parameters;
    for (const auto& p : spec.parameters) parameters.push_back({p.name, p.required});
    const auto rest = std::find_if(spec.parameters.begin(), spec.parameters.end(), takes_rest);
    if (rest == spec.parameters.end()) return match_arguments(node, parameters);
    Node shortened = node;  // the positional arguments up to the first of the rest
    const auto keep = static_cast<std::size_t>(rest - spec.parameters.begin()) + 1;
    const std::size_t positional = node.positional();
    if (positional > keep) {
      const auto first = shortened.children.begin() + static_cast<std::ptrdiff_t>(keep);
      shortened.children.erase(first, first + static_cast<std::ptrdiff_t>(positional - keep));
    }
    auto places = match_arguments(shortened, parameters);
    if (!places || positional <= keep) return places;
    for (auto& place : *places) {
      if (place >= static_cast<int>(keep)) place += static_cast<int>(positional - keep);
    }
    return places;
  }

  Result<void> argument(const Node& node, std::size_t parameter, std::size_t at, FlowNode& flow) {
    const Take take = flow.operation->parameters[parameter].take;
    const Node& given = node.children[at];
    if (take == Take::tensor || take == Take::tensors) {
      flow.inputs[parameter] = static_cast<int>(flow.children.size());
      const std::size_t end = take == Take::tensors ? node.positional() : at + 1;
      for (std::size_t i = at; i < end; ++i) {
        auto lowered = lower(node.children[i], false);
        if (!lowered) return lowered.error();
        flow.children.push_back(*std::move(lowered));
      }
      return {};
    }
    if (take == Take::module_list || (take == Take::function && index_of(names_.modules, given.text) >= 0)) {
      flow.index = index_of(names_.modules, given.text);
      if (given.kind == NodeKind::name && flow.index >= 0) return {};
      return with_excerpt(unknown("module list", given.text, names_.modules), given);
    }
    Node bound = take == Take::integers ? gathered(node, at) : given;
    if (auto result = constant(bound); !result) return result;
    flow.constants[parameter] = std::move(bound);
    return {};
  }

  // The positional arguments from `at` on as one list.
  static Node gathered(const Node& node, std::size_t at) {
    Node list;
    list.kind = NodeKind::list;
    list.begin = node.children[at].begin;
    list.end = node.children[node.positional() - 1].end;
    for (std::size_t i = at; i < node.positional(); ++i) list.children.push_back(node.children[i]);
    return list;
  }

  const ProgramNames& names_;
  ProgramTemplate program_;
  std::string_view text_;
  std::string loop_name_;
  int loop_child_ = -1;
};

}  // namespace

Result<ProgramTemplate> parse_program(std::span<const std::string> lines, const ProgramNames& names,
                                      std::size_t& line) {
  line = 0;
  ProgramParser parser(names);
  if (lines.empty()) return input_error("a forward has at least its inputs and a return");
  if (auto parsed = parser.inputs(lines[0]); !parsed) return parsed.error();
  for (line = 1; line < lines.size(); ++line) {
    if (auto parsed = parser.statement(lines[line]); !parsed) return parsed.error();
  }
  line = lines.size() - 1;
  auto program = parser.take();
  if (!program.statements.empty() && program.statements.back().kind == StatementKind::repeat)
    return input_error("the body of the \"repeat\" is missing");
  const auto returns = [](const Statement& s) { return s.kind == StatementKind::give_back; };
  if (std::none_of(program.statements.begin(), program.statements.end(), returns)) {
    return input_error("the forward has no return");
  }
  return program;
}

}  // namespace tpsim
