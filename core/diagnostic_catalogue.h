// The codes of diagnostics: severity, title and the long text of `tpsim explain CODE`.
#pragma once

#include <string_view>
#include <vector>

#include "core/diagnostic.h"

namespace tpsim {

struct DiagnosticInfo {
  std::string_view code;                // "TP102"
  Severity severity = Severity::error;  // the usual one; a dialect can make it harsher or milder
  std::string_view title;
  std::string_view cause;
  std::string_view example;
  std::string_view fix;
  std::vector<std::string_view> links;  // "huggingface/transformers#48307"
};

// Sorted by code.
const std::vector<DiagnosticInfo>& diagnostic_catalogue();
const DiagnosticInfo* find_diagnostic(std::string_view code);

}  // namespace tpsim
