// From a cause, noted where a run went wrong, to a diagnostic that names the modules and rules behind it.
#pragma once

#include <set>
#include <string>

#include "core/lint_facts.h"

namespace tpsim {

Diagnostic diagnose(const LintFacts& facts, const Cause& cause);

// Patterns of the modules that took part: where it happened and where the operands come from.
std::set<std::string> involved_modules(const LintFacts& facts, const Cause& cause);

}  // namespace tpsim
