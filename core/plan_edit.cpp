#include <algorithm>

#include "core/plan.h"

namespace tpsim {
namespace {

std::string hexadecimal(unsigned char c) {
  constexpr char digits[] = "0123456789abcdef";
  return {digits[c >> 4u], digits[c & 15u]};
}

// A string literal that JSON and Python read alike, but for control characters without a short escape.
std::string quoted(std::string_view text, std::string_view control_prefix) {
  std::string out = "\"";
  for (char c : text) {
    constexpr std::string_view special = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
    if (const auto i = special.find(c); i != std::string_view::npos) {
      out.append("\\").append(1, letters[i]);
    } else if (static_cast<unsigned char>(c) < 0x20u || c == 0x7F) {
      out.append(control_prefix).append(hexadecimal(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void set_rule(std::vector<Rule>& rules, const PatchOperation& operation) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.key == operation.key; });
  if (found != rules.end()) {
    found->strategy = operation.value;
  } else {
    rules.push_back({operation.key, operation.value, {}, {}});
  }
}

}  // namespace

namespace {

bool renames(const Plan& plan, const PatchOperation& first, const PatchOperation& second) {
  return first.op == "remove" && second.op == "add" && plan.find(first.key) != nullptr &&
         plan.find(second.key) == nullptr;
}

void rename_rule(std::vector<Rule>& rules, const std::string& from, const PatchOperation& to) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.key == from; });
  found->key = to.key;
  found->strategy = to.value;
}

}  // namespace

Plan apply_patch(const Plan& plan, const std::vector<PatchOperation>& patch) {
  Plan patched = plan;
  for (std::size_t i = 0; i < patch.size(); ++i) {
    const PatchOperation& operation = patch[i];
    if (i + 1 < patch.size() && renames(patched, operation, patch[i + 1])) {
      rename_rule(patched.rules, operation.key, patch[++i]);
    } else if (operation.op == "remove") {
      std::erase_if(patched.rules, [&](const Rule& r) { return r.key == operation.key; });
    } else {
      set_rule(patched.rules, operation);
    }
  }
  return patched;
}

std::string to_json(const Plan& plan) {
  std::string text = "{";
  const char* separator = "\n";
  for (const auto& rule : plan.rules) {
    text.append(separator)
        .append("  ")
        .append(quoted(rule.key, "\\u00"))
        .append(": ")
        .append(quoted(rule.strategy, "\\u00"));
    separator = ",\n";
  }
  return text + (plan.rules.empty() ? "}\n" : "\n}\n");
}

std::string to_python(const Plan& plan, std::string_view variable) {
  std::string text = std::string(variable) + " = {";
  if (!plan.rules.empty()) text += '\n';
  for (const auto& rule : plan.rules)
    text.append("  ").append(quoted(rule.key, "\\x")).append(": ").append(quoted(rule.strategy, "\\x")).append(",\n");
  return text + "}\n";
}

}  // namespace tpsim
