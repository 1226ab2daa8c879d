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
// Works out the next entry; false if all are done.
bool work(WhatIf& what_if, const Document& document, const Results& results, const ModuleRow& row, Scope scope);

}  // namespace tpsim::gui
