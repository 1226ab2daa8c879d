#include "core/plan_keys.h"

#include "core/suggest.h"

namespace tpsim {
namespace {

std::string without_stars(const std::string& pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern.compare(i, 2, ".*") == 0 && (i + 2 == pattern.size() || pattern[i + 2] == '.'))
      ++i;
    else
      out += pattern[i];
  }
  return out;
}

}  // namespace

std::optional<IntendedKey> intended_key(const LintFacts& f, const std::string& key) {
  const std::string prefix = f.model.base.empty() ? "" : f.model.base + ".";
  const auto named = [&](const std::string& candidate) { return f.names_something(candidate); };
  if (named(key)) return std::nullopt;
  if (!prefix.empty() && named(prefix + key)) return IntendedKey{prefix + key, KeyFlaw::prefix_missing};
  if (!prefix.empty() && key.starts_with(prefix + prefix) && named(key.substr(prefix.size())))
    return IntendedKey{key.substr(prefix.size()), KeyFlaw::prefix_twice};
  const std::string starred = generalised(key);
  if (starred != key && named(starred)) return IntendedKey{starred, KeyFlaw::index_given};
  if (starred != key && !prefix.empty() && named(prefix + starred)) return IntendedKey{prefix + starred, KeyFlaw::index_given};
  std::vector<std::string> patterns;
  for (const ModuleName& name : f.names()) {
    if (without_stars(name.pattern) == key && name.pattern != key) return IntendedKey{name.pattern, KeyFlaw::star_missing};
    patterns.push_back(name.pattern);
  }
  const auto near = nearest(key, patterns, 1);
  if (near.empty()) return std::nullopt;
  return IntendedKey{near.front(), KeyFlaw::misspelt};
}

std::vector<ShadowedRule> shadowed_rules(const LintFacts& f) {
  std::vector<ShadowedRule> found;
  const Analysis& a = f.analysis;
  if (a.dialect.below(5, 0) || a.dialect.at_least(5, 16)) return found;
  for (std::size_t i = 0; i < a.rules.size(); ++i) {
    const ResolvedRule& rule = a.rules[i];
    if (rule.modules > 0 || rule.parameters > 0 || !f.names_something(rule.rule.key)) continue;
    for (const ShardSpec& spec : a.shards) {
      const std::string name = generalised(spec.pattern);
      const bool own = name == rule.rule.key || (name.starts_with(rule.rule.key) && name[rule.rule.key.size()] == '.');
      if (!own || spec.rule < 0 || spec.rule == static_cast<int>(i)) continue;
      found.push_back({static_cast<int>(i), spec.rule});
      break;
    }
  }
  return found;
}

std::string written_key(const Model& model, const AnalysisRequest& request, const std::string& key) {
  const std::string prefix = model.base.empty() ? "" : model.base + ".";
  const bool relative = request.plan.kind == PlanKind::manual && request.plan.base_plan;
  return relative && !prefix.empty() && key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

}  // namespace tpsim
