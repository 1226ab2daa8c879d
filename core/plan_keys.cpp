#include "core/plan_keys.h"

#include <algorithm>
#include <string_view>

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

// A slip of the pen: all but two characters agree, from the front or the back; or the same module under another parent.
bool is_slip(std::string_view a, std::string_view b) {
  if (a.substr(a.rfind('.') + 1) == b.substr(b.rfind('.') + 1)) return true;
  std::size_t front = 0, back = 0;
  const std::size_t shorter = std::min(a.size(), b.size()), longer = std::max(a.size(), b.size());
  while (front < shorter && a[front] == b[front]) ++front;
  while (front + back < shorter && a[a.size() - 1 - back] == b[b.size() - 1 - back]) ++back;
  return front + back + 2 >= longer;
}

}  // namespace

bool is_shipped_key(const LintFacts& f, const std::string& key) {
  const std::string prefix = f.model.base.empty() ? "" : f.model.base + ".";
  const ShippedPlans shipped = shipped_plans(f.model.model_type, f.analysis.dialect);
  return key.starts_with(prefix) && shipped.config_plan.find(key.substr(prefix.size())) != nullptr;
}

std::optional<IntendedKey> intended_key(const LintFacts& f, const std::string& key) {
  const std::string prefix = f.model.base.empty() ? "" : f.model.base + ".";
  const auto named = [&](const std::string& candidate) { return f.names_something(candidate); };
  if (named(key)) return std::nullopt;
  if (!prefix.empty() && named(prefix + key)) return IntendedKey{prefix + key, KeyFlaw::prefix_missing};
  if (!prefix.empty() && key.starts_with(prefix + prefix) && named(key.substr(prefix.size())))
    return IntendedKey{key.substr(prefix.size()), KeyFlaw::prefix_twice};
  const std::string starred = generalised(key);
  if (starred != key && named(starred)) return IntendedKey{starred, KeyFlaw::index_given};
  if (starred != key && !prefix.empty() && named(prefix + starred))
    return IntendedKey{prefix + starred, KeyFlaw::index_given};
  std::vector<std::string> patterns;
  for (const ModuleName& name : f.names()) {
    if (without_stars(name.pattern) == key && name.pattern != key)
      return IntendedKey{name.pattern, KeyFlaw::star_missing};
    patterns.push_back(name.pattern);
  }
  if (is_shipped_key(f, key)) return std::nullopt;
  for (const std::string& near : nearest(key, patterns))
    if (is_slip(key, near)) return IntendedKey{near, KeyFlaw::misspelt};
  return std::nullopt;
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
