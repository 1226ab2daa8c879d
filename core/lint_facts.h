// What the lints look up about a model's modules: their weights, rules and kinds, by path or pattern.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/analysis.h"
#include "core/effective_plan.h"
#include "core/machine.h"
#include "core/matching.h"
#include "core/module_names.h"

namespace tpsim {

struct ModuleFact {
  std::string pattern;  // "model.layers.*.mlp.up_proj"
  ModuleKind kind = ModuleKind::block;
  const ShardSpec* weight = nullptr;  // its first parameter of most dimensions
  int rule = -1;                      // that decides the weight's placement
  bool is_split() const { return weight != nullptr && !std::holds_alternative<Replicate>(weight->placement); }
};

class LintFacts {
public:
  LintFacts(const Model& model, const EffectivePlan& plan, const Analysis& analysis);

  // The module with that concrete path, where it holds parameters of its own.
  std::optional<ModuleFact> module(const std::string& path) const;
  // The rule whose hook is on the module with that concrete path.
  int module_rule(const std::string& path) const;
  const ResolvedRule* rule(int index) const;
  std::vector<std::string> in_model_order(std::vector<std::string> paths) const;
  const std::vector<ModuleName>& names() const { return names_; }
  bool names_something(const std::string& pattern) const { return kinds_.contains(pattern); }
  bool names_parameter(const std::string& pattern) const { return parameters_.contains(pattern); }
  // Bytes that the heaviest rank holds more because these parameters are whole: those at or below `pattern`.
  std::int64_t replicated_bytes(const std::string& pattern) const;

  const Model& model;
  const Analysis& analysis;

private:
  std::vector<ModuleName> names_;
  std::unordered_map<std::string, ModuleKind> kinds_;  // modules and parameters
  std::unordered_map<std::string, int> parameters_;
  std::unordered_map<std::string, std::vector<const ShardSpec*>>
      by_module_;  // generalised pattern -> its own parameters
  Matcher tensor_, expert_;
  int expert_begin_;
};

// ---- words
// ----------------------------------------------------------------------------------------------------------------

std::string quoted(std::string_view text);
// "model.layers.3.mlp" -> "model.layers.*.mlp".
std::string generalised(std::string_view path);
// The last component, or the last two where that is an index.
std::string short_name(std::string_view path);
// "q_proj", "q_proj and k_proj", "q_proj, k_proj and v_proj"; each name once.
std::string listed(const std::vector<std::string>& names);
std::string is_or_are(std::size_t count);
std::string times(double factor);
// "model.layers.*.mlp.up_proj: colwise", and the rule's position.
void attach_rule(const Analysis& analysis, int rule, Diagnostic& diagnostic);

}  // namespace tpsim
