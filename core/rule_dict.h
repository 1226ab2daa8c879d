// Rules with the semantics of a Python dict: one entry a key, a key that is set again keeps its place.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/analysis.h"

namespace tpsim {

class RuleDict {
public:
  void set(Rule rule, RuleOrigin origin) {
    const auto [place, is_new] = places_.try_emplace(rule.key, rules_.size());
    ResolvedRule resolved;
    resolved.rule = std::move(rule);
    resolved.origin = origin;
    if (is_new)
      rules_.push_back(std::move(resolved));
    else
      rules_[place->second] = std::move(resolved);
  }
  void set_all(const std::vector<Rule>& rules, RuleOrigin origin) {
    for (const auto& rule : rules) set(rule, origin);
  }
  void update(const RuleDict& other, std::string_view prefix) {
    for (const auto& resolved : other.rules_) {
      Rule rule = resolved.rule;
      rule.key.insert(0, prefix);
      set(std::move(rule), resolved.origin);
    }
  }
  bool contains(const std::string& key) const { return places_.contains(key); }
  bool empty() const { return rules_.empty(); }
  const std::vector<ResolvedRule>& rules() const { return rules_; }

private:
  std::vector<ResolvedRule> rules_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace tpsim
