#include "core/config_type.h"

#include <array>

#include "core/data.h"
#include "core/json.h"

namespace tpsim {

namespace {

constexpr std::string_view kComposites = "plans/composites.json";

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view without_task(std::string_view class_name) {
  constexpr std::array<std::string_view, 5> kTasks = {"ForCausalLM", "LMHeadModel", "ForConditionalGeneration",
                                                      "TextModel", "Model"};
  for (const std::string_view task : kTasks) {
    const std::size_t at = class_name.find(task);
    if (at != std::string_view::npos && at > 0) return class_name.substr(0, at);
  }
  return class_name;
}

std::string letters(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c != '_') plain += to_lower(c);
  }
  return plain;
}

// "plans/llama/architecture.json" -> "llama"; "" for other files.
std::string_view described_type(std::string_view path) {
  constexpr std::string_view kPrefix = "plans/", kSuffix = "/architecture.json";
  if (!path.starts_with(kPrefix) || !path.ends_with(kSuffix)) return {};
  path.remove_prefix(kPrefix.size());
  path.remove_suffix(kSuffix.size());
  return path;
}

// An entry of composites.json's table `table`, null where there is none.
Value composite_entry(std::string_view table, const std::string& type) {
  const auto text = find_data(kComposites);
  if (!text) return {};
  const auto root = parse_json(*text, data_origin(kComposites));
  const auto* object = root ? std::get_if<ValueObject>(&root->data) : nullptr;
  const Value* entries = object != nullptr ? find(*object, table) : nullptr;
  const auto* members = entries != nullptr ? std::get_if<ValueObject>(&entries->data) : nullptr;
  const Value* entry = members != nullptr ? find(*members, type) : nullptr;
  return entry != nullptr ? *entry : Value();
}

std::string composite_type(std::string_view table, const std::string& type) {
  const Value entry = composite_entry(table, type);
  const auto* name = std::get_if<std::string>(&entry.data);
  return name != nullptr ? *name : std::string();
}

}  // namespace

std::string described_type_of_class(std::string_view class_name) {
  const std::string wanted = letters(without_task(class_name));
  if (wanted.empty()) return {};
  const bool composite = class_name.find("ForConditionalGeneration") != std::string_view::npos;
  for (const std::string& name :
       composite ? std::array{wanted, wanted + "text"} : std::array{wanted + "text", wanted}) {
    for (const std::string& path : list_data("plans/")) {
      const std::string_view type = described_type(path);
      if (!type.empty() && letters(type) == name) return std::string(type);
    }
  }
  return {};
}

std::string snake_case_type(std::string_view class_name) {
  const std::string_view name = without_task(class_name);
  std::string snake;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool acronym_ends = i + 1 < name.size() && is_lower(name[i + 1]);
    const bool begins_word = i > 0 && is_upper(name[i]) && (!is_upper(name[i - 1]) || acronym_ends);
    if (begins_word && name[i - 1] != '_') snake += '_';
    snake += to_lower(name[i]);
  }
  return snake;
}

std::string nested_text_type(const std::string& outer) {
  const std::string entry = composite_type("nested", outer);
  return entry.empty() ? outer + "_text" : entry;
}

bool is_described_type(const std::string& type) {
  return find_data("plans/" + type + "/architecture.json").has_value();
}

std::string flat_text_type(const std::string& type) {
  if (is_described_type(type)) return type;
  const std::string entry = composite_type("flat", type);
  return entry.empty() ? type : entry;
}

bool text_config_ties(const std::string& outer) {
  const Value entry = composite_entry("tied_by_text_config", outer);
  const bool* ties = std::get_if<bool>(&entry.data);
  return ties != nullptr && *ties;
}

}  // namespace tpsim
