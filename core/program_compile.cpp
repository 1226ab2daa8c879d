#include <algorithm>

#include "core/expression_functions.h"
#include "core/program_operations.h"
#include "core/program_parser.h"

namespace tpsim {

namespace {

constexpr int kUnset = -1;
constexpr std::int64_t kMaxStatements = 4096;  // with repetitions

// Emits one program in static single assignment: every output has a slot of its own. A failed function returns false
// (or a negative slot) with the fault filled in.
class ProgramCompiler {
public:
  ProgramCompiler(const ProgramTemplate& source, const ProgramContext& context)
      : source_(source), context_(context), slots_(source.variables.size(), kUnset) {}

  bool compile() {
    program_.inputs = source_.inputs;
    for (std::size_t i = 0; i < source_.inputs.size(); ++i) slots_[i] = new_slot();
    if (!run(0, source_.statements.size())) return false;
    if (returned_) return true;
    fault_.statement = nullptr;
    fault_.evaluation.message = "no return of this forward applies to the config";
    return false;
  }

  Program take() {
    program_.slots = next_slot_;
    return std::move(program_);
  }
  const ProgramFault& fault() const { return fault_; }

private:
  int new_slot() { return next_slot_++; }

  // Statements begin .. end - 1, up to the return that applies.
  bool run(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end && !returned_; ++i) {
      const Statement& statement = source_.statements[i];
      fault_.statement = &statement;
      no_grad_ = statement.no_grad;
      if (++statements_ > kMaxStatements) return fail(statement.value, "the forward has too many statements");
      bool chosen = true;
      if (statement.condition && !holds(*statement.condition, chosen)) return false;
      const std::size_t body = statement.kind == StatementKind::repeat ? end_of_body(i) : i + 1;
      if (chosen && !execute(statement, i + 1, body)) return false;
      i = body - 1;
    }
    return true;
  }

  bool execute(const Statement& statement, std::size_t body, std::size_t end) {
    if (statement.kind == StatementKind::repeat) return repeat(statement, body, end);
    if (statement.kind == StatementKind::assign || statement.kind == StatementKind::loop) return assign(statement);
    returned_ = true;
    return give_back(statement.value);
  }

  std::size_t end_of_body(std::size_t at) const {
    std::size_t end = at + 1;
    while (end < source_.statements.size() && source_.statements[end].depth > source_.statements[at].depth) ++end;
    return end;
  }

  bool repeat(const Statement& statement, std::size_t body, std::size_t end) {
    Value scratch;
    const Value* value = evaluate(*statement.count, scratch);
    if (value == nullptr) return false;
    const auto* count = std::get_if<std::int64_t>(&value->data);
    if (count == nullptr || *count < 0)
      return fail(statement.value, "the number of repetitions is " + to_json(*value).substr(0, 60));
    for (std::int64_t i = 0; i < *count && !returned_; ++i)
      if (!run(body, end)) return false;
    return true;
  }

  bool fail(const FlowNode& node, std::string message) {
    fault_.evaluation.message = std::move(message);
    fault_.evaluation.begin = node.begin;
    fault_.evaluation.end = node.end;
    return false;
  }

  const Value* evaluate(const Node& node, Value& scratch) {
    Evaluator evaluator(*context_.fields, *context_.frame);
    const Value* value = evaluator.evaluate(node, scratch);
    if (value == nullptr) fault_.evaluation = evaluator.fault();
    return value;
  }

  bool holds(const Node& condition, bool& result) {
    Value scratch;
    const Value* value = evaluate(condition, scratch);
    if (value == nullptr) return false;
    result = truthy(*value);
    return true;
  }

  // The branch of a choice that this config takes, through nested choices; nullptr after a fault.
  const FlowNode* chosen(const FlowNode& node) {
    const FlowNode* current = &node;
    while (current != nullptr && current->kind == FlowKind::choice) {
      bool first = false;
      current = holds(*current->constants[0], first) ? &current->children[first ? 0 : 1] : nullptr;
    }
    return current;
  }

  bool give_back(const FlowNode& value) {
    const FlowNode* node = chosen(value);
    if (node == nullptr) return false;
    if (node->kind == FlowKind::tuple && node->children.size() > 1) {
      return all_of(node->children, program_.results);
    }
    const int slot = emit(*node);
    if (slot >= 0) program_.results = {slot};
    return slot >= 0;
  }

  bool all_of(const std::vector<FlowNode>& nodes, std::vector<int>& slots) {
    for (const auto& node : nodes) {
      const int slot = emit(node);
      if (slot < 0) return false;
      slots.push_back(slot);
    }
    return true;
  }

  bool assign(const Statement& statement) {
    const FlowNode* node = chosen(statement.value);
    if (node == nullptr) return false;
    if (statement.kind == StatementKind::loop) return loop(statement, *node);
    if (!statement.takes_apart) {
      const int slot = emit(*node);
      if (slot >= 0) slot_of(statement.targets[0]) = slot;
      return slot >= 0;
    }
    return take_apart(statement, *node);
  }

  int& slot_of(int variable) { return slots_[static_cast<std::size_t>(variable)]; }

  std::vector<int> new_slots(std::size_t count) {
    std::vector<int> slots(count);
    for (auto& slot : slots) slot = new_slot();
    return slots;
  }

  void set_targets(const Statement& statement, const std::vector<int>& slots) {
    for (std::size_t i = 0; i < slots.size(); ++i) slot_of(statement.targets[i]) = slots[i];
  }

  bool take_apart(const Statement& statement, const FlowNode& node) {
    std::vector<int> slots;
    if (node.kind == FlowKind::tuple) {
      if (node.children.size() != statement.targets.size()) {
        return fail(node, std::to_string(node.children.size()) + " values, " +
                              std::to_string(statement.targets.size()) + " names");
      }
      if (!all_of(node.children, slots)) return false;
    } else if (node.kind == FlowKind::operation || (node.kind == FlowKind::call && statement.targets.size() > 1)) {
      if (node.kind == FlowKind::operation && node.operation->outputs == 1) {
        return fail(node, std::string(node.operation->name) + " gives one value");
      }
      Instruction instruction;
      instruction.outputs.resize(statement.targets.size());
      if (!fill(node, instruction)) return false;
      slots = push(std::move(instruction));
    } else {
      const int whole = emit(node);
      if (whole < 0) return false;
      Instruction unpack;
      unpack.op = Op::unpack;
      unpack.inputs = {whole};
      unpack.outputs.resize(statement.targets.size());
      slots = push(std::move(unpack));
    }
    set_targets(statement, slots);
    return true;
  }

  // Appends the instruction with new slots for its outputs, which it returns.
  std::vector<int> push(Instruction instruction) {
    instruction.outputs = new_slots(instruction.outputs.size());
    instruction.no_grad = no_grad_;
    program_.code.push_back(std::move(instruction));
    return program_.code.back().outputs;
  }

  int push_one(Instruction instruction) {
    instruction.outputs = {new_slot()};
    instruction.no_grad = no_grad_;
    program_.code.push_back(std::move(instruction));
    return program_.code.back().outputs[0];
  }

  bool loop(const Statement& statement, const FlowNode& call) {
    const ChildState& child = context_.children[static_cast<std::size_t>(call.index)];
    if (child.index < 0) return fail(call, "the list is left out for this config");
    if (!child.is_list) return fail(call, "a loop runs over a list of modules");
    Instruction instruction;
    instruction.op = Op::for_each;
    instruction.child = child.index;
    if (!arguments(call, instruction)) return false;
    instruction.outputs.resize(statement.targets.size());
    instruction.ints = handed_on(statement, call);
    set_targets(statement, push(std::move(instruction)));
    return true;
  }

  // ints of for_each: tuple of one; then per further output the input that it replaces, -1 = none.
  static std::vector<std::int64_t> handed_on(const Statement& statement, const FlowNode& call) {
    if (statement.takes_apart && statement.targets.size() == 1) return {1};
    std::vector<std::int64_t> ints;
    for (std::size_t t = 1; t < statement.targets.size(); ++t) {
      if (ints.empty()) ints.push_back(0);
      const auto found = std::find_if(call.children.begin(), call.children.end(), [&](const FlowNode& argument) {
        return argument.kind == FlowKind::variable && argument.index == statement.targets[t];
      });
      ints.push_back(found == call.children.end() ? -1 : found - call.children.begin());
    }
    return ints;
  }

  bool arguments(const FlowNode& call, Instruction& instruction) {
    if (!all_of(call.children, instruction.inputs)) return false;
    if (call.keywords.empty()) return true;
    instruction.keywords = call.keywords;
    instruction.keyword_begin = static_cast<int>(call.children.size() - call.keywords.size());
    return true;
  }

  // Everything but the outputs of a call or an operation.
  bool fill(const FlowNode& node, Instruction& instruction) {
    return node.kind == FlowKind::call ? fill_call(node, instruction) : fill_operation(node, instruction);
  }

  bool fill_call(const FlowNode& node, Instruction& instruction) {
    const ChildState& child = context_.children[static_cast<std::size_t>(node.index)];
    if (child.index < 0) return fail(node, "module \"" + node.text + "\" is left out for this config and called here");
    if (child.is_list != !node.constants.empty())
      return fail(node, child.is_list ? "\"" + node.text + "\" is a list of modules; its elements are called in a loop"
                                      : "a list of modules is needed");
    if (child.is_list && !element(node, child, instruction)) return false;
    if (!node.member.empty() && !has_child(child, node.member)) {
      return fail(node, "module \"" + node.text + "\" has no module \"" + node.member + "\" for this config");
    }
    instruction.op = Op::call;
    instruction.child = child.index;
    instruction.text = node.member;
    return arguments(node, instruction);
  }

  bool element(const FlowNode& node, const ChildState& child, Instruction& instruction) {
    Value scratch;
    const Value* value = evaluate(*node.constants[0], scratch);
    if (value == nullptr) return false;
    const auto* i = std::get_if<std::int64_t>(&value->data);
    if (i == nullptr || *i < 0 || *i >= child.count)
      return fail(node, "element " + to_json(*value).substr(0, 60) + " of a list of " + std::to_string(child.count));
    instruction.ints = {*i};
    return true;
  }

  const ModuleType& type_of(const ChildState& child) const {
    return context_.types[static_cast<std::size_t>(child.type)];
  }

  bool has_child(const ChildState& child, const std::string& name) const {
    const auto& children = type_of(child).children;
    return std::any_of(children.begin(), children.end(), [&](const Child& c) { return !c.is_list && c.name == name; });
  }

  bool has_tensor(const ChildState& child, const std::string& name) const {
    const auto named = [&](const ParameterSpec& spec) { return spec.name == name; };
    const ModuleType& type = type_of(child);
    return std::any_of(type.parameters.begin(), type.parameters.end(), named) ||
           std::any_of(type.buffers.begin(), type.buffers.end(), named);
  }

  bool fill_operation(const FlowNode& node, Instruction& instruction) {
    const OperationSpec& spec = *node.operation;
    instruction.op = spec.op;
    if (node.index >= 0 && !operation_child(node, instruction)) return false;
    if (!operation_inputs(node, instruction)) return false;
    std::vector<Value> scratch(spec.parameters.size());
    std::vector<const Value*> values(spec.parameters.size(), nullptr);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!node.constants[i]) continue;
      values[i] = evaluate(*node.constants[i], scratch[i]);
      if (values[i] == nullptr) return false;
    }
    const auto message = set_constants(spec, values, instruction);
    return message.empty() || fail(node, message);
  }

  bool operation_child(const FlowNode& node, Instruction& instruction) {
    const ChildState& child = context_.children[static_cast<std::size_t>(node.index)];
    if (child.index < 0) return fail(node, "a module that is left out for this config is used here");
    const bool wants_list = node.operation->op != Op::experts;
    if (child.is_list != wants_list)
      return fail(node, wants_list ? "a list of modules is needed" : "a module is needed");
    instruction.child = child.index;
    return true;
  }

  bool operation_inputs(const FlowNode& node, Instruction& instruction) {
    const auto parameters = node.operation->parameters;
    std::size_t used = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Take take = parameters[i].take;
      if (take != Take::tensor && take != Take::tensors) continue;
      const int first = node.inputs[i];
      if (first < 0) {
        instruction.inputs.push_back(-1);
        continue;
      }
      const std::size_t count = take == Take::tensors ? node.children.size() - static_cast<std::size_t>(first) : 1;
      for (std::size_t n = 0; n < count; ++n) {
        const int slot = operand(node.children[static_cast<std::size_t>(first) + n]);
        if (slot == kFailed) return false;
        instruction.inputs.push_back(slot);
      }
      used = instruction.inputs.size();
    }
    instruction.inputs.resize(used);
    return true;
  }

  // Like emit, but -1 for none.
  int operand(const FlowNode& node) {
    const FlowNode* branch = chosen(node);
    if (branch == nullptr) return kFailed;
    if (branch->kind == FlowKind::constant) return none_value(*branch) ? -1 : kFailed;
    return emit(*branch);
  }

  bool none_value(const FlowNode& node) {
    Value scratch;
    const Value* value = evaluate(*node.constants[0], scratch);
    if (value == nullptr) return false;
    return value->is_null() || fail(node, "a tensor or none is needed here, not " + to_json(*value).substr(0, 60));
  }

  // The slot of the node's value, or kFailed.
  int emit(const FlowNode& start) {
    const FlowNode* node = chosen(start);
    if (node == nullptr) return kFailed;
    switch (node->kind) {
      case FlowKind::variable: return variable(*node);
      case FlowKind::tensor: return tensor(*node);
      case FlowKind::call:
      case FlowKind::operation: return single(*node);
      case FlowKind::arithmetic: return arithmetic(*node);
      case FlowKind::tuple: return make_tuple(*node);
      case FlowKind::constant: return constant_none(*node);
      case FlowKind::choice: break;
    }
    return kFailed;
  }

  int variable(const FlowNode& node) {
    const int slot = slot_of(node.index);
    if (slot >= 0) return slot;
    fail(node, "\"" + source_.variables[static_cast<std::size_t>(node.index)] + "\" has no value here for this config");
    return kFailed;
  }

  int tensor(const FlowNode& node) {
    Instruction instruction;
    instruction.op = Op::parameter;
    instruction.text = node.text;
    const auto& absent = context_.absent_tensors;
    if (node.index >= 0) {
      const ChildState& child = context_.children[static_cast<std::size_t>(node.index)];
      instruction.child = child.index;
      if (child.index < 0 || child.is_list || !has_tensor(child, node.text)) {
        fail(node, "the module has no tensor \"" + node.text + "\" for this config");
        return kFailed;
      }
    } else if (std::find(absent.begin(), absent.end(), node.text) != absent.end()) {
      fail(node, "tensor \"" + node.text + "\" is left out for this config");
      return kFailed;
    }
    return push_one(std::move(instruction));
  }

  int single(const FlowNode& node) {
    Instruction instruction;
    instruction.outputs.resize(1);
    if (!fill(node, instruction)) return kFailed;
    return push_one(std::move(instruction));
  }

  int make_tuple(const FlowNode& node) {
    Instruction instruction;
    instruction.op = Op::make_tuple;
    if (!all_of(node.children, instruction.inputs)) return kFailed;
    return push_one(std::move(instruction));
  }

  int constant_none(const FlowNode& node) {
    if (!none_value(node)) return kFailed;
    Instruction instruction;
    instruction.op = Op::constant_none;
    return push_one(std::move(instruction));
  }

  int arithmetic(const FlowNode& node) {
    Instruction instruction;
    if (!all_of(node.children, instruction.inputs)) return kFailed;
    if (node.constants.empty()) {
      constexpr Op kOps[] = {Op::add, Op::sub, Op::mul, Op::div};
      instruction.op = kOps[static_cast<std::size_t>(node.arithmetic)];
      return push_one(std::move(instruction));
    }
    Value scratch;
    const Value* value = evaluate(*node.constants[0], scratch);
    if (value == nullptr) return kFailed;
    const auto number = as_real(*value);
    if (!number) {
      fail(node, "a number is needed beside the tensor, not " + to_json(*value).substr(0, 60));
      return kFailed;
    }
    return with_number(node, std::move(instruction), *number);
  }

  int with_number(const FlowNode& node, Instruction instruction, double number) {
    if (node.arithmetic == Arithmetic::multiply || node.arithmetic == Arithmetic::divide) {
      if (node.arithmetic == Arithmetic::divide && number == 0) {
        fail(node, "division by zero");
        return kFailed;
      }
      instruction.op = Op::scale;
      instruction.number = node.arithmetic == Arithmetic::multiply ? number : 1 / number;
      return push_one(std::move(instruction));
    }
    if (node.number_first && node.arithmetic == Arithmetic::subtract) {
      Instruction negate = instruction;
      negate.op = Op::scale;
      negate.number = -1;
      instruction.inputs = {push_one(std::move(negate))};
      number = -number;
    }
    instruction.op = Op::add_number;
    instruction.number = node.arithmetic == Arithmetic::subtract ? -number : number;
    return push_one(std::move(instruction));
  }

  static constexpr int kFailed = -2;

  const ProgramTemplate& source_;
  const ProgramContext& context_;
  std::vector<int> slots_;  // by variable
  int next_slot_ = 0;
  std::int64_t statements_ = 0;
  bool returned_ = false;
  bool no_grad_ = false;
  Program program_;
  ProgramFault fault_;
};

}  // namespace

std::optional<Program> compile_program(const ProgramTemplate& source, const ProgramContext& context,
                                       ProgramFault& fault) {
  ProgramCompiler compiler(source, context);
  if (compiler.compile()) return compiler.take();
  fault = compiler.fault();
  return std::nullopt;
}

}  // namespace tpsim
