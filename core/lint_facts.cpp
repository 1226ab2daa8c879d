#include "core/lint_facts.h"

#include <algorithm>
#include <sstream>

namespace tpsim {
namespace {

bool is_index(std::string_view component) {
  return !component.empty() &&
         (component == "*" || component.find_first_not_of("0123456789") == std::string_view::npos);
}

// "model.layers.*.mlp" for "model.layers.*.mlp.weight".
std::string owner_of(std::string_view parameter) {
  const auto dot = parameter.rfind('.');
  return dot == std::string_view::npos ? std::string() : std::string(parameter.substr(0, dot));
}

// The set's pattern has `*` for indices; a set of some layers only stands for those.
bool holds(const ShardSpec& spec, std::string_view module) {
  std::vector<int> indices;
  std::string_view pattern = spec.pattern, path = module;
  while (!path.empty()) {
    const std::string_view a = pattern.substr(0, pattern.find('.')), b = path.substr(0, path.find('.'));
    if (a == "*") {
      if (!is_index(b) || b == "*" || b.size() > 9) return false;
      indices.push_back(std::stoi(std::string(b)));
    } else if (a != b) {
      return false;
    }
    pattern.remove_prefix(std::min(a.size() + 1, pattern.size()));
    path.remove_prefix(std::min(b.size() + 1, path.size()));
  }
  for (std::size_t i = 0; i < indices.size() && i < spec.indices.size(); ++i)
    if (std::find(spec.indices[i].begin(), spec.indices[i].end(), indices[i]) == spec.indices[i].end()) return false;
  return true;
}

}  // namespace

LintFacts::LintFacts(const Model& m, const EffectivePlan& plan, const Analysis& a)
    : model(m),
      analysis(a),
      names_(module_names(m)),
      tensor_(plan.rules, a.dialect),
      expert_(plan.expert_rules, a.dialect),
      expert_begin_(static_cast<int>(plan.rules.size())) {
  for (const ModuleName& name : names_) {
    kinds_.emplace(name.pattern, name.kind);
    if (name.is_parameter) parameters_.emplace(name.pattern, 0);
  }
  for (const ShardSpec& spec : a.shards) by_module_[generalised(owner_of(spec.pattern))].push_back(&spec);
}

std::optional<ModuleFact> LintFacts::module(const std::string& path) const {
  std::string pattern = generalised(path);
  auto found = by_module_.find(pattern);
  std::string looked_up = path;
  if (found == by_module_.end()) {
    // A tied head has no parameter of its own: the table's.
    for (const auto& [own, shared] : model.ties)
      if (owner_of(own) == path) looked_up = owner_of(shared);
    found = by_module_.find(generalised(looked_up));
    if (found == by_module_.end()) return std::nullopt;
  }
  ModuleFact fact;
  for (const ShardSpec* spec : found->second)
    if (holds(*spec, looked_up) && (fact.weight == nullptr || spec->shape.rank() > fact.weight->shape.rank()))
      fact.weight = spec;
  if (fact.weight == nullptr) return std::nullopt;
  fact.rule = fact.weight->rule;
  const auto kind = kinds_.find(pattern);
  if (kind != kinds_.end()) fact.kind = kind->second;
  fact.pattern = looked_up == path ? owner_of(fact.weight->pattern) : std::move(pattern);
  return fact;
}

int LintFacts::module_rule(const std::string& path) const {
  const int expert = expert_.module_rule(path);
  return expert >= 0 ? expert + expert_begin_ : tensor_.module_rule(path);
}

const ResolvedRule* LintFacts::rule(int index) const {
  const bool known = index >= 0 && index < static_cast<int>(analysis.rules.size());
  return known ? &analysis.rules[static_cast<std::size_t>(index)] : nullptr;
}

std::vector<std::string> LintFacts::in_model_order(std::vector<std::string> paths) const {
  const auto place = [&](const std::string& path) {
    const std::string pattern = generalised(path);
    return std::find_if(names_.begin(), names_.end(), [&](const ModuleName& n) { return n.pattern == pattern; }) -
           names_.begin();
  };
  std::stable_sort(paths.begin(), paths.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return paths;
}

std::int64_t LintFacts::replicated_bytes(const std::string& pattern) const {
  const std::int64_t ranks = analysis.ranks();
  std::int64_t bytes = 0;
  for (const ShardSpec& spec : analysis.shards) {
    const std::string name = generalised(spec.pattern);
    const bool below = name == pattern || (name.starts_with(pattern) && name[pattern.size()] == '.');
    const bool matrix = spec.shape.rank() > 1 && std::holds_alternative<Replicate>(spec.placement);
    if (below && matrix) bytes += (spec.bytes - spec.bytes / ranks) * spec.count;
  }
  return bytes;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string generalised(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('.'));
    if (!out.empty()) out += '.';
    out += is_index(component) ? std::string_view("*") : component;
    path.remove_prefix(std::min(component.size() + 1, path.size()));
  }
  return out;
}

std::string short_name(std::string_view path) {
  auto dot = path.rfind('.');
  while (dot != std::string_view::npos && dot > 0 && is_index(path.substr(dot + 1, path.find('.', dot + 1) - dot - 1)))
    dot = path.rfind('.', dot - 1);
  return std::string(dot == std::string_view::npos ? path : path.substr(dot + 1));
}

std::string listed(const std::vector<std::string>& names) {
  std::vector<std::string> distinct;
  for (const std::string& name : names)
    if (std::find(distinct.begin(), distinct.end(), name) == distinct.end()) distinct.push_back(name);
  std::string out;
  for (std::size_t i = 0; i < distinct.size(); ++i)
    out += (i == 0 ? "" : i + 1 == distinct.size() ? " and " : ", ") + distinct[i];
  return out;
}

std::string is_or_are(std::size_t count) { return count == 1 ? "is" : "are"; }

std::string times(double factor) {
  std::ostringstream out;
  out << factor;
  return out.str();
}

void attach_rule(const Analysis& a, int rule, Diagnostic& d) {
  if (rule < 0 || rule >= static_cast<int>(a.rules.size())) return;
  const Rule& r = a.rules[static_cast<std::size_t>(rule)].rule;
  d.rule = r.key + ": " + r.strategy;
  d.position = r.strategy_position;
}

}  // namespace tpsim
