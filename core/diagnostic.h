// What is wrong with a plan, where, and how to mend it. Codes are stable; `tpsim explain CODE` has the long text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tpsim {

// A position in a source text, 1-based; line 0 means "no position".
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const SourcePosition&) const = default;
};

enum class Severity { error, warning, note };

// One operation of JSON Patch (RFC 6902) on the plan's object.
struct PatchOperation {
  std::string op;     // "add", "remove", "replace"
  std::string key;    // the plan key (not yet escaped as a JSON pointer)
  std::string value;  // the strategy for add and replace
  bool operator==(const PatchOperation&) const = default;
};

struct Fix {
  std::string title;                  // "leave k_proj and v_proj out of the plan"
  std::vector<PatchOperation> patch;  // empty where the fix is not an edit of the plan (another TP size, say)
};

struct Diagnostic {
  std::string code;  // "TP102"
  Severity severity = Severity::error;
  std::string where;                         // module or parameter pattern, or the plan key
  std::string rule;                          // the plan rule that causes it ("model.layers.*.mlp.up_proj: colwise")
  SourcePosition position;                   // of that rule in the plan's source
  std::string message;                       // one line with the offending values
  std::vector<std::string> details;          // consequence, what Transformers does
  std::optional<std::int64_t> effect_bytes;  // extra bytes per rank (heaviest rank), where that is the effect
  std::vector<Fix> fixes;
  int count = 1;  // places with the same problem (identical layers)
};

}  // namespace tpsim
