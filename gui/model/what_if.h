// What every strategy of the dialect would do to a module: worked out one at a time, only for the list that is open.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gui/model/edits.h"

namespace tpsim::gui {

struct Consequence {
  std::string strategy;  // "" = no rule
  bool is_current = false, done = false;
  Verdict verdict = Verdict::unknown;
  std::int64_t bytes = 0;                   // memory of the heaviest rank, less that of the plan as it is
  std::optional<double> prefill, decode;    // seconds, likewise
  std::vector<std::string> added, removed;  // codes of errors and warnings
  std::string reason;                       // of an error
};

struct WhatIf {
  std::string key;  // what it was worked out for
  std::vector<Consequence> list;
};

// Begins anew where module, scope or plan are others.
void open_what_if(WhatIf& what_if, const Results& results, const ModuleRow& row, Scope scope);
// The next entry that is not worked out; -1 = all are.
int next_of(const WhatIf& what_if);
// What choosing that strategy comes to, against `before`, the report of the document's plan A.
Consequence work_out(Consequence entry, const Document& document, const cli::Report& before, const ModuleRow& row,
                     Scope scope);

}  // namespace tpsim::gui
