// What the document comes to, by the functions that the command line uses. A report is worked out in the frame of the
// edit; the sweep over TP sizes and the search for repairs follow as tasks (view/tasks.h).
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/chart.h"
#include "cli/report.h"
#include "gui/model/document.h"

namespace tpsim::gui {

using SharedReport = std::shared_ptr<const cli::Report>;

struct Evaluation {
  std::string key;      // what it was worked out from
  SharedReport report;  // one size, without its list of valid ones; null where an input cannot be used
  std::optional<Error> error;

  const cli::SizeResult* size() const { return report ? &report->results.front() : nullptr; }
  const cli::Scenario* scenario() const { return report ? &report->scenario : nullptr; }
};

// What most edits leave as it is, with what it was worked out from. One evaluation at a time uses it.
struct Memo {
  std::mutex in_use;
  std::string model_key, hardware_key, baseline_key;
  std::optional<cli::ModelInput> model;
  std::optional<Hardware> hardware;
  std::optional<cli::Baseline> baseline;
};

// The scenario of one side with the text of its plan. Errors: those of the command line.
Result<cli::Scenario> scenario_of(const Document& document, Side side, Memo& memo);
Evaluation evaluate(const Document& document, Side side, Memo& memo);

struct Results {
  Evaluation a, b;
  SharedReport last_good_a;  // the last one of A whose plan runs
  SharedReport sweep;        // A over the sizes that are shown side by side
  bool sweep_done = false, repairs_done = false;
  double refresh_ms = 0;  // last refresh that had something to do
  std::size_t refreshes = 0;
  std::shared_ptr<Memo> memo = std::make_shared<Memo>();

  // A, or where its plan does not run the last one that did.
  const cli::Report* shown() const;
  bool is_last_good() const { return a.report && !a.size()->runs() && last_good_a; }
};

// Works out again what the document no longer matches. True if anything was.
bool refresh(Results& results, const Document& document);
// Both sides, where `a` and `b` are what is known; and putting them in place.
struct Sides {
  Evaluation a, b;
  double took_ms = 0;
};
Sides evaluate_sides(const Evaluation& a, const Evaluation& b, const Document& document, Memo& memo);
void install(Results& results, Sides sides);
// True where `results` are those of the document.
bool is_current(const Results& results, const Document& document);

// The rest of the answer, each from what is there.
SharedReport sweep_of(const cli::Report& report, const Document& document);  // null where it cannot be made
SharedReport with_repairs(const cli::Report& report);
// All that is left to do, here and now.
void finish(Results& results, const Document& document);

// Sizes of the sweep: powers of two to 16, and the document's own.
std::vector<int> sweep_sizes(const Document& document);

struct ProblemCount {
  std::size_t errors = 0, warnings = 0, notes = 0;
};
ProblemCount count_problems(const cli::Report& report, const std::vector<std::string>& suppressed);
// What "suppress" writes into the document.
std::string suppression(const Diagnostic& diagnostic);

}  // namespace tpsim::gui
