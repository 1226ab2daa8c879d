// Python-like expressions of architecture files: parsed once, bound to the names of their scope, evaluated per config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

inline constexpr int kMaxExpressionNodes = 200;
inline constexpr int kMaxExpressionDepth = 60;
inline constexpr std::size_t kMaxListLength = 1u << 17;
inline constexpr std::size_t kMaxStringLength = 1u << 16;
inline constexpr std::int64_t kMaxEvaluationSteps = 5'000'000;

enum class NodeKind {
  literal,
  name,
  list,
  tuple,  // forward statements only
  negate,
  logical_not,
  binary,
  compare,  // a < b < c: one comparison fewer than children
  logical_and,
  logical_or,
  conditional,  // children: then, condition[, else]
  index,
  call,           // text: the called name; the last children have keywords
  comprehension,  // text: the variable; children: element, count or list
};

enum class Arithmetic { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class Comparison { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in, is, is_not };

struct Node {
  NodeKind kind = NodeKind::literal;
  int begin = 0, end = 0;  // in the text
  Value value;             // literal
  std::string text;
  Arithmetic arithmetic = Arithmetic::add;  // binary
  std::vector<Comparison> comparisons;
  std::vector<Node> children;
  std::vector<std::string> keywords;
  int slot = -1;  // bound names and comprehension variables; calls: the function's number

  std::size_t positional() const { return children.size() - keywords.size(); }
};

struct Expression {
  std::string text;
  Node root;
};

// `value`: as Python. `module`: `X if COND` without else, too. `forward`: tuples without parentheses, too.
enum class Grammar { value, module, forward };
// Errors show the text with a caret.
Result<Expression> parse_expression(std::string_view text, Grammar grammar = Grammar::value);
// The text with a caret under `begin` .. `end`, as details of an error.
std::vector<std::string> excerpt(std::string_view text, int begin, int end);
bool is_identifier(std::string_view text);

// Slots below kFirstLocal are fields, the others locals of a frame.
inline constexpr int kFirstLocal = 1 << 20;

struct Scope {
  const std::unordered_map<std::string, int>* fields = nullptr;
  std::vector<std::string> locals;  // by slot - kFirstLocal; "" = out of scope
  std::vector<std::pair<std::string, Value>> constants;

  int find(std::string_view name) const;  // locals before fields; -1 = unknown
  std::vector<std::string> names() const;
};

// Gives every name its slot and every call its function. Comprehension variables become further locals of the scope.
// Errors: unknown names (with near ones), unknown functions, wrong argument counts.
Result<void> bind_names(Expression& expression, Scope& scope);
Result<void> bind_names(Node& node, std::string_view text, Scope& scope);

struct EvaluationFault {
  std::string message;
  int begin = 0, end = 0;
  int field = -1;               // the field whose value is to blame, if one is
  std::string need;             // what that field would have to be: "a number"
  std::optional<Error> nested;  // a fault of another expression that this one needed
};

// Where fields have their values.
class FieldSource {
public:
  virtual ~FieldSource() = default;
  // nullptr with `fault` filled where the field has no value.
  virtual const Value* field(int index, EvaluationFault& fault) = 0;
};

class Evaluator {
public:
  // `frame` holds the locals by slot - kFirstLocal, comprehension variables included; both outlive the evaluator.
  Evaluator(FieldSource& fields, std::vector<Value>& frame) : fields_(fields), frame_(frame) {}

  // The value, either `scratch` or one that lives in a field, a local or the expression. nullptr: see fault().
  const Value* evaluate(const Node& node, Value& scratch);
  const EvaluationFault& fault() const { return fault_; }

private:
  const Value* node_value(const Node& node, Value& scratch);
  const Value* index_value(const Node& node, Value& scratch);
  const Value* choice(const Node& node, Value& scratch);
  bool list(const Node& node, Value& out);
  bool comprehension(const Node& node, Value& out);
  bool negate(const Node& node, Value& out);
  bool logical(const Node& node, Value& out);
  bool compare(const Node& node, Value& out);
  bool binary(const Node& node, Value& out);
  bool call(const Node& node, Value& out);
  bool fail(const Node& node, std::string message);
  bool fail_operand(const Node& node, const Value& value, const char* need);

  FieldSource& fields_;
  std::vector<Value>& frame_;
  EvaluationFault fault_;
  std::int64_t steps_ = 0;
};

}  // namespace tpsim
