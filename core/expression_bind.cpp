#include <algorithm>

#include "core/expression.h"
#include "core/expression_functions.h"
#include "core/suggest.h"

namespace tpsim {

namespace {

Error at(Error error, std::string_view text, const Node& node) {
  auto lines = excerpt(text, node.begin, node.end);
  error.details.insert(error.details.begin(), lines.begin(), lines.end());
  return error;
}

Error unknown(const char* what, const std::string& word, const std::vector<std::string>& known) {
  Error error = input_error(std::string("unknown ") + what + " \"" + word + "\"");
  std::string near;
  for (const auto& name : nearest(word, known)) near += (near.empty() ? "" : ", ") + name;
  if (!near.empty()) error.details.push_back("near: " + near);
  return error;
}

Result<void> bind_call(Node& node, std::string_view text, Scope& scope) {
  const auto functions = expression_functions();
  const auto spec =
      std::find_if(functions.begin(), functions.end(), [&](const auto& f) { return f.name == node.text; });
  if (spec == functions.end()) {
    std::vector<std::string> known;
    for (const auto& f : functions) known.emplace_back(f.name);
    return at(unknown("function", node.text, known), text, node);
  }
  if (!node.keywords.empty()) return at(input_error(node.text + "() takes no keywords"), text, node);
  if (node.children.size() < spec->least || node.children.size() > spec->most) {
    const auto range =
        std::to_string(spec->least) + (spec->most > spec->least ? " to " + std::to_string(spec->most) : "");
    return at(input_error(node.text + "() takes " + range + (range == "1" ? " argument" : " arguments") + ", not " +
                          std::to_string(node.children.size())),
              text, node);
  }
  node.slot = static_cast<int>(spec - functions.begin());
  for (auto& child : node.children) {
    if (auto bound = bind_names(child, text, scope); !bound) return bound;
  }
  return {};
}

Result<void> bind_comprehension(Node& node, std::string_view text, Scope& scope) {
  if (auto bound = bind_names(node.children[1], text, scope); !bound) return bound;
  const std::size_t place = scope.locals.size();
  node.slot = kFirstLocal + static_cast<int>(place);
  scope.locals.push_back(node.text);
  auto bound = bind_names(node.children[0], text, scope);
  scope.locals[place].clear();
  return bound;
}

Result<void> bind_name(Node& node, std::string_view text, const Scope& scope) {
  for (const auto& [name, value] : scope.constants) {
    if (name != node.text) continue;
    node.kind = NodeKind::literal;
    node.value = value;
    return {};
  }
  node.slot = scope.find(node.text);
  if (node.slot < 0) return at(unknown("name", node.text, scope.names()), text, node);
  return {};
}

}  // namespace

int Scope::find(std::string_view name) const {
  for (std::size_t i = locals.size(); i-- > 0;) {
    if (locals[i] == name) return kFirstLocal + static_cast<int>(i);
  }
  if (fields == nullptr) return -1;
  const auto field = fields->find(std::string(name));
  return field == fields->end() ? -1 : field->second;
}

std::vector<std::string> Scope::names() const {
  std::vector<std::string> all;
  std::copy_if(locals.begin(), locals.end(), std::back_inserter(all), [](const auto& name) { return !name.empty(); });
  if (fields != nullptr) {
    for (const auto& [name, slot] : *fields) all.push_back(name);
  }
  for (const auto& [name, value] : constants) all.push_back(name);
  std::sort(all.begin(), all.end());
  return all;
}

Result<void> bind_names(Expression& expression, Scope& scope) {
  return bind_names(expression.root, expression.text, scope);
}

Result<void> bind_names(Node& node, std::string_view text, Scope& scope) {
  switch (node.kind) {
    case NodeKind::name: return bind_name(node, text, scope);
    case NodeKind::call: return bind_call(node, text, scope);
    case NodeKind::comprehension: return bind_comprehension(node, text, scope);
    case NodeKind::tuple: return at(input_error("a tuple is not a value here"), text, node);
    case NodeKind::literal:
    case NodeKind::list:
    case NodeKind::negate:
    case NodeKind::logical_not:
    case NodeKind::binary:
    case NodeKind::compare:
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::conditional:
    case NodeKind::index: break;
  }
  for (auto& child : node.children) {
    if (auto bound = bind_names(child, text, scope); !bound) return bound;
  }
  return {};
}

}  // namespace tpsim
