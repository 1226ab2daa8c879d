// What a rule's key that names nothing was meant to be, and how a plan's author writes a key.
#pragma once

#include <optional>
#include <string>

#include "core/analyze.h"
#include "core/lint_facts.h"

namespace tpsim {

enum class KeyFlaw { prefix_missing, prefix_twice, index_given, star_missing, misspelt };

struct IntendedKey {
  std::string key;
  KeyFlaw flaw = KeyFlaw::misspelt;
};

// A rule of the release's own plan for a block that this model does not have.
bool is_shipped_key(const LintFacts& facts, const std::string& key);

// `key` on the whole model, as the dialect looks it up. None where nothing is near, or the key is right.
std::optional<IntendedKey> intended_key(const LintFacts& facts, const std::string& key);

// 5.0 - 5.15: a rule that gets none of the parameters it names, because an earlier key is found in their names as well.
struct ShadowedRule {
  int rule = -1, by = -1;  // indices into Analysis::rules
};
std::vector<ShadowedRule> shadowed_rules(const LintFacts& facts);

// A plan for the config class has keys relative to the base model; everything else says "model.layers. ...".
std::string written_key(const Model& model, const AnalysisRequest& request, const std::string& key);

}  // namespace tpsim
