#include "gui/model/config_fields.h"

#include <algorithm>
#include <map>

namespace tpsim::gui {
namespace {

void flatten(const ValueObject& object, const std::string& prefix,
             std::vector<std::pair<std::string, std::string>>& out) {
  for (const auto& [key, value] : object) {
    const auto* inner = std::get_if<ValueObject>(&value.data);
    if (inner != nullptr && !inner->empty())
      flatten(*inner, prefix + key + ".", out);
    else
      out.emplace_back(prefix + key, plain(value));
  }
}

bool is_set(const std::vector<std::string>& set, const std::string& path) {
  return std::any_of(set.begin(), set.end(), [&](const std::string& s) { return s.starts_with(path + "="); });
}

}  // namespace

std::string plain(const Value& value) {
  const auto* text = std::get_if<std::string>(&value.data);
  return text ? *text : to_json(value);
}

std::vector<ConfigField> config_fields(const ModelSource& source, const std::vector<std::string>& set) {
  std::vector<ConfigField> fields;
  if (!source.config) return fields;
  std::vector<std::pair<std::string, std::string>> now, before;
  flatten(source.config->fields, "", now);
  if (const auto original = read_config(source.text, source.config->file)) flatten(original->fields, "", before);
  const std::map<std::string, std::string> originals(before.begin(), before.end());
  for (auto& [path, value] : now) {
    const auto was = originals.find(path);
    const bool is_new = was == originals.end();
    fields.push_back({path, value, is_new ? "" : was->second, is_set(set, path), is_new});
  }
  return fields;
}

std::vector<std::string> with_setting(std::vector<std::string> set, const std::string& path, const std::string& value,
                                      const std::string& original) {
  std::erase_if(set, [&](const std::string& s) { return s.starts_with(path + "="); });
  if (!value.empty() && value != original) set.push_back(path + "=" + value);
  return set;
}

}  // namespace tpsim::gui
