#include "core/expression.h"

#include <array>
#include <cmath>

#include "core/checked.h"
#include "core/expression_functions.h"

namespace tpsim {

namespace {

// Of an ordering comparison.
bool ordered(Comparison op, std::partial_ordering relation) {
  if (op == Comparison::less) return relation < 0;
  if (op == Comparison::less_equal) return relation <= 0;
  if (op == Comparison::greater) return relation > 0;
  return relation >= 0;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  const std::int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

std::optional<std::int64_t> integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0) {
      const auto next = checked_mul(result, base);
      if (!next) return std::nullopt;
      result = *next;
    }
    exponent >>= 1;
    if (exponent == 0) break;
    const auto square = checked_mul(base, base);
    if (!square) return std::nullopt;
    base = *square;
  }
  return result;
}

// nullopt = overflow. Division by zero is ruled out before.
std::optional<std::int64_t> integer_result(Arithmetic op, std::int64_t a, std::int64_t b) {
  switch (op) {
    case Arithmetic::add: return checked_add(a, b);
    case Arithmetic::subtract: return b == INT64_MIN ? std::nullopt : checked_add(a, -b);
    case Arithmetic::multiply: return checked_mul(a, b);
    case Arithmetic::floor_divide: return a == INT64_MIN && b == -1 ? std::nullopt : std::optional(floor_div(a, b));
    case Arithmetic::modulo: return b == -1 ? 0 : floor_mod(a, b);
    case Arithmetic::power: return integer_power(a, b);
    case Arithmetic::divide: break;
  }
  return std::nullopt;
}

double real_result(Arithmetic op, double a, double b) {
  switch (op) {
    case Arithmetic::add: return a + b;
    case Arithmetic::subtract: return a - b;
    case Arithmetic::multiply: return a * b;
    case Arithmetic::divide: return a / b;
    case Arithmetic::floor_divide: return std::floor(a / b);
    case Arithmetic::modulo: return a - b * std::floor(a / b);
    case Arithmetic::power: return std::pow(a, b);
  }
  return a;
}

bool divides(Arithmetic op) {
  return op == Arithmetic::divide || op == Arithmetic::floor_divide || op == Arithmetic::modulo;
}

const char* symbol(Arithmetic op) {
  constexpr std::array<const char*, 7> kSymbols{"+", "-", "*", "/", "//", "%", "**"};
  return kSymbols[static_cast<std::size_t>(op)];
}

bool joined(const Value& left, const Value& right, Value& out) {
  const auto* s = std::get_if<std::string>(&left.data);
  const auto* t = std::get_if<std::string>(&right.data);
  if (s != nullptr && t != nullptr && s->size() + t->size() <= kMaxStringLength) {
    out.data = *s + *t;
    return true;
  }
  const auto* a = std::get_if<ValueList>(&left.data);
  const auto* b = std::get_if<ValueList>(&right.data);
  if (a == nullptr || b == nullptr || a->size() + b->size() > kMaxListLength) return false;
  ValueList both = *a;
  both.insert(both.end(), b->begin(), b->end());
  out.data = std::move(both);
  return true;
}

}  // namespace

bool Evaluator::fail(const Node& node, std::string message) {
  if (fault_.message.empty()) {
    fault_.message = std::move(message);
    fault_.begin = node.begin;
    fault_.end = node.end;
  }
  return false;
}

bool Evaluator::fail_operand(const Node& node, const Value& value, const char* need) {
  if (!fault_.message.empty()) return false;
  const std::string subject = node.kind == NodeKind::name ? "\"" + node.text + "\"" : "this";
  std::string shown = to_json(value);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  fail(node,
       subject + " is " + (value.is_null() ? "none" : type_name(value) + (" " + shown)) + ", " + need + " is needed");
  if (node.kind == NodeKind::name && node.slot < kFirstLocal) fault_.field = node.slot;
  fault_.need = need;
  return false;
}

const Value* Evaluator::evaluate(const Node& node, Value& scratch) {
  if (++steps_ > kMaxEvaluationSteps) {
    fail(node, "the expression takes more than " + std::to_string(kMaxEvaluationSteps) + " steps");
    return nullptr;
  }
  return node_value(node, scratch);
}

const Value* Evaluator::node_value(const Node& node, Value& scratch) {
  bool good = false;
  switch (node.kind) {
    case NodeKind::literal: return &node.value;
    case NodeKind::name:
      if (node.slot >= kFirstLocal) return &frame_[static_cast<std::size_t>(node.slot - kFirstLocal)];
      return fields_.field(node.slot, fault_);
    case NodeKind::index: return index_value(node, scratch);
    case NodeKind::conditional:
    case NodeKind::logical_and:
    case NodeKind::logical_or: return choice(node, scratch);
    case NodeKind::list: good = list(node, scratch); break;
    case NodeKind::comprehension: good = comprehension(node, scratch); break;
    case NodeKind::negate: good = negate(node, scratch); break;
    case NodeKind::logical_not: good = logical(node, scratch); break;
    case NodeKind::compare: good = compare(node, scratch); break;
    case NodeKind::binary: good = binary(node, scratch); break;
    case NodeKind::call: good = call(node, scratch); break;
    case NodeKind::tuple: good = fail(node, "a tuple is not a value"); break;
  }
  return good ? &scratch : nullptr;
}

// Nodes whose value is one of their children's: conditional, and, or.
const Value* Evaluator::choice(const Node& node, Value& scratch) {
  if (node.kind == NodeKind::conditional) {
    Value temporary;
    const Value* condition = evaluate(node.children[1], temporary);
    if (condition == nullptr) return nullptr;
    if (truthy(*condition)) return evaluate(node.children[0], scratch);
    if (node.children.size() > 2) return evaluate(node.children[2], scratch);
    fail(node, "the condition is false and there is no \"else\"");
    return nullptr;
  }
  const Value* value = nullptr;
  for (const auto& child : node.children) {
    value = evaluate(child, scratch);
    if (value == nullptr || truthy(*value) == (node.kind == NodeKind::logical_or)) break;
  }
  return value;
}

const Value* Evaluator::index_value(const Node& node, Value& scratch) {
  Value base_scratch, key_scratch;
  const Value* base = evaluate(node.children[0], base_scratch);
  const Value* key = base == nullptr ? nullptr : evaluate(node.children[1], key_scratch);
  if (key == nullptr) return nullptr;
  const Value* element = nullptr;
  if (const auto* text = std::get_if<std::string>(&base->data)) {
    const auto size = static_cast<std::int64_t>(text->size());
    const auto i = as_integer(*key);
    if (!i || *i < -size || *i >= size) {
      fail(node, "index " + to_json(*key) + " is outside a text of length " + std::to_string(size));
      return nullptr;
    }
    scratch = Value{std::string(1, (*text)[static_cast<std::size_t>(*i < 0 ? *i + size : *i)])};
    return &scratch;
  }
  if (const auto* object = std::get_if<ValueObject>(&base->data)) {
    const auto* name = std::get_if<std::string>(&key->data);
    element = name == nullptr ? nullptr : find(*object, *name);
    if (element == nullptr) fail(node, "the object has no key " + to_json(*key));
  } else if (const auto* list = std::get_if<ValueList>(&base->data)) {
    const auto size = static_cast<std::int64_t>(list->size());
    const auto i = as_integer(*key);
    if (i && *i >= -size && *i < size) {
      element = &(*list)[static_cast<std::size_t>(*i < 0 ? *i + size : *i)];
    } else {
      const Node& named = node.children[0];
      const std::string subject = named.kind == NodeKind::name ? "\"" + named.text + "\"" : "the list";
      fail(node, "index " + to_json(*key) + " is outside " + subject + " of length " + std::to_string(size));
      if (named.kind == NodeKind::name && named.slot < kFirstLocal) fault_.field = named.slot;
    }
  } else {
    fail_operand(node.children[0], *base, "a list, an object or a text");
  }
  if (element == nullptr || base != &base_scratch) return element;
  scratch = Value(*element);
  return &scratch;
}

bool Evaluator::list(const Node& node, Value& out) {
  ValueList elements;
  for (const auto& child : node.children) {
    Value scratch;
    const Value* value = evaluate(child, scratch);
    if (value == nullptr) return false;
    elements.push_back(*value);
  }
  out.data = std::move(elements);
  return true;
}

bool Evaluator::comprehension(const Node& node, Value& out) {
  Value scratch;
  const Value* range = evaluate(node.children[1], scratch);
  if (range == nullptr) return false;
  const auto* source = std::get_if<ValueList>(&range->data);
  const auto count = source != nullptr ? static_cast<std::int64_t>(source->size()) : as_integer(*range).value_or(-1);
  if (source == nullptr && !as_integer(*range)) return fail_operand(node.children[1], *range, "a count or a list");
  if (count > static_cast<std::int64_t>(kMaxListLength)) {
    return fail(node, "a list has at most " + std::to_string(kMaxListLength) + " elements");
  }
  ValueList elements;
  for (std::int64_t i = 0; i < count; ++i) {
    frame_[static_cast<std::size_t>(node.slot - kFirstLocal)] =
        source != nullptr ? (*source)[static_cast<std::size_t>(i)] : Value{i};
    Value element;
    const Value* value = evaluate(node.children[0], element);
    if (value == nullptr) return false;
    elements.push_back(*value);
  }
  out.data = std::move(elements);
  return true;
}

bool Evaluator::negate(const Node& node, Value& out) {
  Value scratch;
  const Value* value = evaluate(node.children[0], scratch);
  if (value == nullptr) return false;
  if (const auto i = as_integer(*value)) {
    if (*i == INT64_MIN) return fail(node, "integer overflow");
    out.data = -*i;
  } else if (const auto x = as_real(*value)) {
    out.data = -*x;
  } else {
    return fail_operand(node.children[0], *value, "a number");
  }
  return true;
}

bool Evaluator::logical(const Node& node, Value& out) {
  Value scratch;
  const Value* value = evaluate(node.children[0], scratch);
  if (value == nullptr) return false;
  out.data = !truthy(*value);
  return true;
}

bool Evaluator::compare(const Node& node, Value& out) {
  Value left_scratch, right_scratch;
  const Value* left = evaluate(node.children[0], left_scratch);
  if (left == nullptr) return false;
  for (std::size_t i = 0; i < node.comparisons.size(); ++i) {
    const Node& operand = node.children[i + 1];
    const Value* right = evaluate(operand, right_scratch);
    if (right == nullptr) return false;
    bool holds = false;
    const Comparison op = node.comparisons[i];
    switch (op) {
      case Comparison::equal: holds = equal(*left, *right); break;
      case Comparison::not_equal: holds = !equal(*left, *right); break;
      case Comparison::is: holds = *left == *right; break;
      case Comparison::is_not: holds = !(*left == *right); break;
      case Comparison::in:
      case Comparison::not_in: {
        const auto inside = contains(*right, *left);
        if (!inside) return fail_operand(operand, *right, "a list or an object");
        holds = *inside == (op == Comparison::in);
        break;
      }
      case Comparison::less:
      case Comparison::less_equal:
      case Comparison::greater:
      case Comparison::greater_equal: {
        const auto relation = order(*left, *right);
        if (!relation) {
          const bool left_bad = !as_real(*left) && !std::holds_alternative<std::string>(left->data);
          return fail_operand(node.children[left_bad ? i : i + 1], left_bad ? *left : *right, "a number");
        }
        holds = ordered(op, *relation);
      }
    }
    if (!holds || i + 1 == node.comparisons.size()) {
      out.data = holds;
      return true;
    }
    if (right == &right_scratch) {
      left_scratch = std::move(right_scratch);
      left = &left_scratch;
    } else {
      left = right;
    }
  }
  return true;
}

bool Evaluator::binary(const Node& node, Value& out) {
  Value left_scratch, right_scratch;
  const Value* left = evaluate(node.children[0], left_scratch);
  const Value* right = left == nullptr ? nullptr : evaluate(node.children[1], right_scratch);
  if (right == nullptr) return false;
  const Arithmetic op = node.arithmetic;
  if (op == Arithmetic::add && joined(*left, *right, out)) return true;
  const auto x = as_real(*left), y = as_real(*right);
  if (!x) return fail_operand(node.children[0], *left, "a number");
  if (!y) return fail_operand(node.children[1], *right, "a number");
  if (divides(op) && *y == 0) {
    fail(node, "division by zero");
    if (node.children[1].kind == NodeKind::name && node.children[1].slot < kFirstLocal) {
      fault_.field = node.children[1].slot;
      fault_.need = "a number other than zero";
    }
    return false;
  }
  const auto i = as_integer(*left), j = as_integer(*right);
  if (i && j && op != Arithmetic::divide && !(op == Arithmetic::power && *j < 0)) {
    const auto result = integer_result(op, *i, *j);
    if (!result) {
      return fail(node, "integer overflow in " + std::to_string(*i) + " " + symbol(op) + " " + std::to_string(*j));
    }
    out.data = *result;
    return true;
  }
  const double result = real_result(op, *x, *y);
  if (!std::isfinite(result)) {
    return fail(node, "the result of " + to_json(*left) + " " + symbol(op) + " " + to_json(*right) + " is not finite");
  }
  out.data = result;
  return true;
}

bool Evaluator::call(const Node& node, Value& out) {
  ValueList arguments;
  for (const auto& child : node.children) {
    Value scratch;
    const Value* value = evaluate(child, scratch);
    if (value == nullptr) return false;
    arguments.push_back(*value);
  }
  auto value = expression_functions()[static_cast<std::size_t>(node.slot)].apply(arguments);
  if (value) {
    out = *std::move(value);
    return true;
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!as_real(arguments[i]) && node.children[i].kind == NodeKind::name) {
      return fail_operand(node.children[i], arguments[i], "another kind of value");
    }
  }
  std::string shown;
  for (const auto& argument : arguments) shown += (shown.empty() ? "" : ", ") + to_json(argument);
  return fail(node, node.text + "(" + shown.substr(0, 80) + ") has no value");
}

}  // namespace tpsim
