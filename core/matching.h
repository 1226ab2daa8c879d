// Which rule of a plan hits which module and which parameter, as each Transformers version matches (shared reference:
// hf_plan_matching.md section 2, hf_v5_16_to_5_23.md section 2). Hooks (modules) and weights (parameters) differ in 5.0
// - 5.15.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/analysis.h"
#include "core/dialect.h"

namespace tpsim {

class Matcher {
public:
  Matcher(const std::vector<ResolvedRule>& rules, const Dialect& dialect);
  // Index of the rule whose hook or wrapper goes on the module with this concrete name; -1 = none.
  // 4.50 - 4.53 hook a module when its first parameter is loaded, with the rule of that parameter: `first_parameter` is
  // that parameter's own name (the first in alphabetical order), empty for a module without parameters.
  int module_rule(std::string_view name, std::string_view first_parameter = {}) const;
  // Index of the rule that places the parameter with this concrete name; -1 = none.
  int parameter_rule(std::string_view name) const;
  // False where no rule can tell two list elements of different index apart: then one element's answer holds for all.
  bool index_sensitive() const { return index_sensitive_; }

private:
  struct Key {
    std::string text;
    int rule = 0;
  };
  struct Pattern;  // how a key is searched for in 5.0 - 5.15, or globbed up to 4.49
  int exact_rule(std::string_view normalised) const;
  int glob_rule(std::string_view name) const;
  int search_rule(std::string_view name) const;

  std::vector<Key> exact_;                                // sorted by text, then rule
  std::shared_ptr<const std::vector<Pattern>> patterns_;  // per rule, in order
  Dialect dialect_;
  bool index_sensitive_ = false;
};

// A real name as the dialect normalises it before the look-up ("model.layers.3.mlp" -> "model.layers.*.mlp").
std::string normalise_name(std::string_view name, const Dialect& dialect);

// 5.0 - 5.15 compile every key as a regular expression: false where that fails. True in other dialects.
bool is_valid_key(std::string_view key, const Dialect& dialect);

}  // namespace tpsim
