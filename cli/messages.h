// Errors and diagnostics as text: code, what, where, why, fix (tpsim help output).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"
#include "core/diagnostic.h"
#include "core/result.h"

namespace tpsim::cli {

inline constexpr std::size_t kMaxPrinted = 20;

std::string error_text(const Error& error, const Terminal& terminal);
// {"schema":"tpsim.error/1", ...}
std::string error_json(const Error& error);

// `plan_text` is the source that positions refer to, empty where there is none.
std::string diagnostic_text(const Diagnostic& diagnostic, std::string_view plan_text, const Terminal& terminal);
// The first kMaxPrinted of them and how many more there are.
std::string diagnostics_text(const std::vector<Diagnostic>& diagnostics, std::string_view plan_text,
                             const Terminal& terminal);
// "warning[TP202]: message"
std::string diagnostic_line(const Diagnostic& diagnostic, const Terminal& terminal);

std::int64_t count(const std::vector<Diagnostic>& diagnostics, Severity severity);
const char* to_string(Severity severity);

}  // namespace tpsim::cli
