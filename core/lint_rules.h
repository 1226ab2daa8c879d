// Diagnostics about the rules as written: keys that name nothing, names of other releases, rules that do nothing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "core/lint_facts.h"

namespace tpsim {

struct RuleProblem {
  Diagnostic diagnostic;
  std::set<std::string> intended;  // patterns of the modules that the rules were meant for
};

// Rules that match nothing (TP201), cut weights without a hook (TP209), or disagree on one module (TP104). Rules with
// the same flaw share a diagnostic.
std::vector<RuleProblem> misdirected_rules(const LintFacts& facts, const AnalysisRequest& request);
// The same for keys that the release refuses (5.19 on).
std::vector<RuleProblem> refused_keys(const LintFacts& facts, const AnalysisRequest& request,
                                      const std::vector<const Diagnostic*>& refusals);

// TP203, TP204, TP206, TP210.
std::vector<Diagnostic> unwise_rules(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan,
                                     const Analysis& analysis);

}  // namespace tpsim
