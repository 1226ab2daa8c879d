// Forward statements of an architecture file, with names resolved, and their compilation for one config.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/expression.h"
#include "core/model.h"
#include "core/result.h"

namespace tpsim {

struct OperationSpec;  // core/program_operations.h

enum class FlowKind {
  variable,  // index: of the variable
  tensor,    // text: name; own, or index: of the child that owns it
  call,      // index: the child; member: "" or the child of that child; children, the last ones by keyword;
             // constants: the element of a list
  operation,
  arithmetic,  // children: one or two tensors; constants: the number, if one side is one
  choice,      // children: then, else; constants: the condition
  tuple,
  constant,  // constants: an expression that must be none
};

// An expression whose value is a tensor, a tuple or none. `constants` are expressions over the config.
struct FlowNode {
  FlowKind kind = FlowKind::constant;
  int begin = 0, end = 0;  // in the statement's text
  int index = -1;
  std::string text, member;
  const OperationSpec* operation = nullptr;
  Arithmetic arithmetic = Arithmetic::add;
  bool number_first = false;  // arithmetic with a number on the left
  std::vector<FlowNode> children;
  std::vector<std::string> keywords;
  std::vector<std::optional<Node>> constants;  // operation: by parameter
  std::vector<int> inputs;                     // operation: child per parameter, -1 = none given
};

enum class StatementKind { assign, loop, give_back, repeat };

struct Statement {
  StatementKind kind = StatementKind::assign;
  std::string text;
  std::string pointer;
  std::optional<Node> condition;
  std::vector<int> targets;  // variables
  bool takes_apart = false;  // `a, b = ` and `a, = `
  bool no_grad = false;
  FlowNode value;
  std::optional<Node> count;  // repeat: how often
  int depth = 0;              // of indentation; a repeat's body is what follows deeper
};

struct ProgramTemplate {
  std::vector<std::string> inputs;
  std::vector<std::string> variables;  // inputs first
  std::vector<Statement> statements;
};

// What names of a block mean to its forward.
struct ProgramNames {
  std::vector<std::string> modules;
  std::vector<std::string> tensors;  // parameters and buffers
  Scope* scope = nullptr;            // locals and config fields
};

// `lines`: the forward list; the first names the inputs. On failure `line` is the faulty one.
Result<ProgramTemplate> parse_program(std::span<const std::string> lines, const ProgramNames& names, std::size_t& line);

// What the compiler needs to know of the module that the program belongs to.
struct ChildState {
  int index = -1;  // in ModuleType::children; -1 = left out for this config
  bool is_list = false;
  int type = -1;  // of a child that is no list, in `types`
  int count = 1;  // elements of a list
};
struct ProgramContext {
  std::span<const ChildState> children;  // by module of the block
  std::span<const ModuleType> types;
  std::span<const std::string> absent_tensors;
  FieldSource* fields = nullptr;
  std::vector<Value>* frame = nullptr;
};

// A fault of compilation: of an expression, or of the statement (`evaluation.message`).
struct ProgramFault {
  const Statement* statement = nullptr;  // nullptr: of the whole program
  EvaluationFault evaluation;
};
std::optional<Program> compile_program(const ProgramTemplate& source, const ProgramContext& context,
                                       ProgramFault& fault);

// Calls `visit` with every config expression of the program.
template <class Visit>
void for_each_constant(const FlowNode& flow, const Visit& visit) {
  for (const auto& constant : flow.constants) {
    if (constant) visit(*constant);
  }
  for (const auto& child : flow.children) for_each_constant(child, visit);
}

}  // namespace tpsim
