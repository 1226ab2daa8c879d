// What the document comes to, by the functions that the command line uses. Refreshed in the frame of the edit; the
// sweep over TP sizes and the search for repairs follow in the next frames.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/chart.h"
#include "cli/report.h"
#include "gui/model/document.h"

namespace tpsim::gui {

struct Evaluation {
  std::string key;                    // what it was worked out from
  std::optional<cli::Report> report;  // one size; none where an input cannot be used
  std::optional<Error> error;

  const cli::SizeResult* size() const { return report ? &report->results.front() : nullptr; }
  const cli::Scenario* scenario() const { return report ? &report->scenario : nullptr; }
};

// The scenario of one side with the text of its plan. Errors: those of the command line.
Result<cli::Scenario> scenario_of(const Document& document, Side side);
Evaluation evaluate(const Document& document, Side side);

struct Results {
  Evaluation a, b;
  std::optional<cli::Report> last_good_a;  // the last one of A whose plan runs
  std::optional<cli::Report> sweep;        // A over the sizes that are shown side by side
  bool sweep_done = false, repairs_done = false;
  double refresh_ms = 0;  // last refresh that had something to do
  std::size_t refreshes = 0;

  // A, or where its plan does not run the last one that did.
  const cli::Report* shown() const;
  bool is_last_good() const { return a.report && !a.size()->runs() && last_good_a.has_value(); }
};

// Works out again what the document no longer matches. True if anything was.
bool refresh(Results& results, const Document& document);
// The next piece of deferred work; false if there was none.
bool work(Results& results, const Document& document);

// Sizes of the sweep: powers of two to 16, and the document's own.
std::vector<int> sweep_sizes(const Document& document);

struct ProblemCount {
  std::size_t errors = 0, warnings = 0, notes = 0;
};
ProblemCount count_problems(const cli::Report& report, const std::vector<std::string>& suppressed);
// What "suppress" writes into the document.
std::string suppression(const Diagnostic& diagnostic);

}  // namespace tpsim::gui
