#include "core/model.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "core/characters.h"
#include "core/module_path.h"

namespace tpsim {

namespace {

bool tied_away(const Model& model, std::string_view name) {
  return std::any_of(model.ties.begin(), model.ties.end(), [&](const auto& tie) { return tie.first == name; });
}

struct GroupKey {
  std::string pattern;
  Shape shape;
  bool operator==(const GroupKey&) const = default;
};

class GroupCollector {
public:
  explicit GroupCollector(const Model& model) : model_(model) {}

  std::vector<ParameterGroup> collect() {
    module(model_.root, "", 1);
    return std::move(groups_);
  }

private:
  void module(int index, const std::string& prefix, std::int64_t count) {
    const ModuleType& type = model_.type(index);
    for (const auto& parameter : type.parameters)
      if (!parameter.borrowed) add(full_path(prefix, parameter.name), parameter.shape, count);
    for (const auto& child : type.children) {
      const std::string path = full_path(prefix, all_digits(child.name) ? "*" : child.name);
      if (child.is_list)
        list(child, path + ".*", count);
      else
        module(child.types.front(), path, count);
    }
  }

  // Each type of element once, in order of its first occurrence.
  void list(const Child& child, const std::string& path, std::int64_t count) {
    std::vector<std::pair<int, std::int64_t>> kinds;
    std::unordered_map<int, std::size_t> place;
    for (const int type : child.types) {
      const auto [at, fresh] = place.emplace(type, kinds.size());
      if (fresh) kinds.emplace_back(type, 0);
      ++kinds[at->second].second;
    }
    for (const auto& [type, occurrences] : kinds) module(type, path, count * occurrences);
  }

  void add(const std::string& pattern, const Shape& shape, std::int64_t count) {
    if (tied_away(model_, pattern)) return;
    auto& places = places_[pattern];
    for (const auto place : places) {
      if (groups_[place].shape == shape) {
        groups_[place].count += count;
        return;
      }
    }
    places.push_back(groups_.size());
    groups_.push_back({pattern, shape, count});
  }

  const Model& model_;
  std::vector<ParameterGroup> groups_;
  std::unordered_map<std::string, std::vector<std::size_t>> places_;
};

void add_named(const Model& model, int index, const std::string& prefix, std::vector<NamedParameter>& all) {
  const ModuleType& type = model.type(index);
  for (const auto& parameter : type.parameters) {
    std::string name = full_path(prefix, parameter.name);
    if (!parameter.borrowed && !tied_away(model, name)) all.push_back({std::move(name), parameter.shape});
  }
  for (const auto& child : type.children) {
    const std::string path = full_path(prefix, child.name);
    for (std::size_t i = 0; i < child.types.size(); ++i) {
      add_named(model, child.types[i], child.is_list ? path + "." + std::to_string(i) : path, all);
    }
  }
}

std::string_view next_part(std::string_view& name) {
  const auto dot = name.find('.');
  const auto part = name.substr(0, dot);
  name.remove_prefix(dot == std::string_view::npos ? name.size() : dot + 1);
  return part;
}

// Parts of `name` that the `*` of the pattern stand for; false where it does not match.
bool match_pattern(std::string_view pattern, std::string_view name, std::vector<std::string>& indices) {
  indices.clear();
  while (!pattern.empty() && !name.empty()) {
    const auto expected = next_part(pattern), part = next_part(name);
    if (expected == "*" && all_digits(part))
      indices.emplace_back(part);
    else if (expected != part)
      return false;
  }
  return pattern.empty() && name.empty();
}

std::string shifted(const std::string& index, int offset) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(index.data(), index.data() + index.size(), number);
  return parsed.ec == std::errc() ? std::to_string(number + offset) : index;
}

// The pattern with each `*` replaced by an index in turn, and `{e}` by the expert.
std::string filled_pattern(std::string_view pattern, const std::vector<std::string>& indices, std::int64_t expert,
                           int offset) {
  std::string text;
  std::size_t next = 0;
  while (!pattern.empty()) {
    if (pattern.front() == '*' && next < indices.size()) {
      text += shifted(indices[next++], offset);
      pattern.remove_prefix(1);
    } else if (pattern.starts_with("{e}")) {
      text += std::to_string(expert);
      pattern.remove_prefix(3);
    } else {
      text += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return text;
}

bool covers(const CheckpointRule& rule, std::string_view name, std::vector<std::string>& indices) {
  if (rule.how == CheckpointConversion::prefix) return name.starts_with(rule.module);
  return match_pattern(rule.module, name, indices);
}

bool is_stacked(CheckpointConversion how) {
  return how == CheckpointConversion::stack || how == CheckpointConversion::stack_concat;
}

}  // namespace

const ParameterSpec* find_parameter(const Model& model, std::string_view name) {
  const ModuleType* type = &model.type(model.root);
  while (true) {
    const auto part = next_part(name);
    if (name.empty()) {
      for (const auto* specs : {&type->parameters, &type->buffers}) {
        for (const auto& spec : *specs) {
          if (spec.name == part) return &spec;
        }
      }
      return nullptr;
    }
    const auto child =
        std::find_if(type->children.begin(), type->children.end(), [&](const auto& c) { return c.name == part; });
    if (child == type->children.end()) return nullptr;
    std::size_t element = 0;
    if (child->is_list) {
      const auto digits = next_part(name);
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), element);
      if (parsed.ec != std::errc() || element >= child->types.size()) return nullptr;
    }
    type = &model.type(child->types[element]);
  }
}

std::vector<ParameterGroup> parameter_groups(const Model& model) { return GroupCollector(model).collect(); }

std::vector<NamedParameter> named_parameters(const Model& model) {
  std::vector<NamedParameter> all;
  add_named(model, model.root, "", all);
  return all;
}

std::int64_t parameter_count(const Model& model) {
  std::vector<std::int64_t> counts(model.types.size());
  for (std::size_t i = 0; i < model.types.size(); ++i) {
    for (const auto& parameter : model.types[i].parameters)
      counts[i] += parameter.borrowed ? 0 : parameter.shape.numel();
    for (const auto& child : model.types[i].children) {
      for (const int type : child.types) counts[i] += counts[static_cast<std::size_t>(type)];
    }
  }
  std::int64_t total = counts[static_cast<std::size_t>(model.root)];
  for (const auto& tie : model.ties) {
    const ParameterSpec* away = find_parameter(model, tie.first);
    if (away != nullptr) total -= away->shape.numel();
  }
  return total;
}

const CheckpointRule* checkpoint_rule(const Model& model, std::string_view parameter) {
  std::vector<std::string> indices;
  const auto rule = std::find_if(model.checkpoint.begin(), model.checkpoint.end(),
                                 [&](const auto& r) { return covers(r, parameter, indices); });
  return rule == model.checkpoint.end() ? nullptr : &*rule;
}

std::vector<std::string> checkpoint_names(const Model& model, std::string_view parameter) {
  std::vector<std::string> indices;
  const auto rule = std::find_if(model.checkpoint.begin(), model.checkpoint.end(),
                                 [&](const auto& r) { return covers(r, parameter, indices); });
  if (rule == model.checkpoint.end()) return {std::string(parameter)};
  if (rule->how == CheckpointConversion::prefix)
    return {rule->disk.front() + std::string(parameter.substr(rule->module.size()))};
  const ParameterSpec* spec = is_stacked(rule->how) ? find_parameter(model, parameter) : nullptr;
  const std::int64_t experts = spec != nullptr && spec->shape.rank() > 0 ? spec->shape[0] : 1;
  std::vector<std::string> names;
  for (std::int64_t e = 0; e < experts; ++e) {
    for (const auto& pattern : rule->disk) names.push_back(filled_pattern(pattern, indices, e, rule->offset));
  }
  return names;
}

}  // namespace tpsim
