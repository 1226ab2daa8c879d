#include "core/module_names.h"

#include <algorithm>
#include <unordered_map>

namespace tpsim {
namespace {

class Enumerator {
public:
  explicit Enumerator(const Model& model) : model_(model) {}

  std::vector<ModuleName> run() && {
    visit(model_.root, "", 1);
    return std::move(names_);
  }

private:
  void visit(int type, const std::string& path, std::int64_t count) {
    const ModuleType& module = model_.type(type);
    if (!path.empty()) add(path, module.kind, count, false);
    for (const auto& parameter : module.parameters)
      if (!parameter.borrowed) add_parameter(join(path, parameter.name), module.kind, count);
    for (const auto& child : module.children) visit_child(child, join(path, child.name), count);
  }

  void visit_child(const Child& child, const std::string& path, std::int64_t count) {
    if (child.is_list) add(path, ModuleKind::block, count, false);
    std::vector<int> distinct = child.types;
    std::ranges::sort(distinct);
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    const std::string element = child.is_list ? path + ".*" : path;
    for (const int type : distinct) visit(type, element, count * std::ranges::count(child.types, type));
  }

  void add_parameter(const std::string& name, ModuleKind kind, std::int64_t count) {
    if (!is_tied(name)) add(name, kind, count, true);
  }

  bool is_tied(const std::string& name) const {
    return std::ranges::any_of(model_.ties, [&](const auto& tie) { return tie.first == name; });
  }

  void add(const std::string& pattern, ModuleKind kind, std::int64_t count, bool is_parameter) {
    const auto [place, is_new] =
        places_.try_emplace(pattern + '\0' + std::to_string(static_cast<int>(kind)), names_.size());
    if (is_new)
      names_.push_back({pattern, kind, count, is_parameter});
    else
      names_[place->second].count += count;
  }

  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  const Model& model_;
  std::vector<ModuleName> names_;
  std::unordered_map<std::string, std::size_t> places_;
};

const ModuleType* find_child(const Model& model, const ModuleType& parent, std::string_view name) {
  const auto child = std::ranges::find(parent.children, name, [](const Child& c) { return std::string_view(c.name); });
  if (child == parent.children.end() || child->is_list || child->types.empty()) return nullptr;
  return &model.type(child->types.front());
}

}  // namespace

std::vector<ModuleName> module_names(const Model& model) { return Enumerator(model).run(); }

std::vector<std::string> sorted_patterns(const std::vector<ModuleName>& names) {
  std::vector<std::string> patterns;
  for (const auto& name : names) patterns.push_back(name.pattern);
  std::ranges::sort(patterns);
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  return patterns;
}

const ModuleType* base_child(const Model& model, std::string_view name) {
  const ModuleType* base = &model.type(model.root);
  std::string_view path = model.base;
  while (base != nullptr && !path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    base = find_child(model, *base, path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return base == nullptr ? nullptr : find_child(model, *base, name);
}

}  // namespace tpsim
