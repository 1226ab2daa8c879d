#include "cli/validating.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/measurement_output.h"
#include "cli/text.h"
#include "core/analyze.h"
#include "sim/call_times.h"

namespace tpsim::cli {
namespace {

std::string signed_percent(double share) { return (share >= 0 ? "+" : "") + fixed(share * 100, 1); }

Cell time_cell(Seconds time) { return cell(microseconds(time), 4, time_text(time.count())); }

Row row_of(const std::string& phase, const std::string& name, const ComparedCalls& row, double share) {
  Row out;
  const bool whole = row.calls.count == 0;
  out.cells = {cell(phase),
               named_cell(name, row.calls),
               cell(row.calls.module),
               cell(row.calls.shape),
               whole ? no_value() : cell(row.calls.count),
               time_cell(row.predicted),
               time_cell(row.measured.median),
               time_cell(row.measured.p10),
               time_cell(row.measured.p90),
               cell(row.error * 100, 2, signed_percent(row.error)),
               cell(100 * (std::exp(row.band) - 1), 1, fixed(100 * (std::exp(row.band) - 1), 0)),
               cell(std::string(row.within ? "yes" : "no")),
               cell(row.measured.n),
               cell(row.measured.cv * 100, 2, fixed(row.measured.cv * 100, 1)),
               cell(share * 100, 2, fixed(share * 100, 1)),
               row.unstable ? cell(std::string("unstable")) : cell(std::string())};
  return out;
}

void add_rows(Table& table, const PassValidation& pass, bool all) {
  std::vector<const ComparedCalls*> rows;
  for (const ComparedCalls& row : pass.calls)
    if (all || share_of(row, pass) >= kShownShare) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto* a, const auto* b) { return share_of(*a, pass) > share_of(*b, pass); });
  for (const auto* row : rows) table.rows.push_back(row_of(pass.phase, row->calls.name, *row, share_of(*row, pass)));
  ComparedCalls other;
  other.predicted = pass.other_predicted;
  other.measured = pass.other;
  other.unstable = pass.other.cv > kUnstable;
  const double total = std::max(pass.total.measured.median.count(), 1e-12);
  other.error = pass.other.median.count() > 0 ? other.predicted / pass.other.median - 1 : 0;
  other.within = false;
  table.rows.push_back(row_of(pass.phase, "between calls", other, pass.other.median.count() / total));
  table.rows.push_back(row_of(pass.phase, "pass", pass.total, 1));
}

std::string exponent_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

}  // namespace

std::string numeric_line(const NumericSummary& numeric) {
  std::string line = "numeric: sharded vs unsharded";
  if (numeric.max_abs) line += " max abs " + exponent_text(*numeric.max_abs);
  if (numeric.max_rel) line += ", max rel " + exponent_text(*numeric.max_rel);
  return line + " (band " + exponent_text(numeric.band) + ")  " + (numeric.verdict == "right" ? "PASS" : "FAIL");
}

Result<void> take_stored(const StoredRun& run, const Options& options, Validated& v) {
  if (auto loaded = load_planned_model(options, v.setup); !loaded) return loaded;
  if (auto same = check_same_inputs(run, v.setup); !same) return same;
  v.numeric = run.numeric;
  v.measurement = run.measurement;
  return {};
}

Result<void> predict_and_compare(const Options& options, Validated& v) {
  auto machine = load_run_machine(options);
  if (!machine) return machine.error();
  v.hardware = machine->hardware.name;
  v.stack = machine->stack.name;
  v.profile = options.profile.value_or("");
  Predictor predictor(std::move(machine->hardware), {machine->stack, {}});
  std::vector<PassPrediction> predictions;
  for (const PassMeasurement& pass : v.measurement.passes) {
    const auto analysis = analyze(v.setup.model.model, request_of(v.setup, options, pass));
    if (!analysis) return analysis.error();
    predictions.push_back(predict_calls(predictor, *analysis));
  }
  v.validation = compare(predictions, v.measurement);
  return {};
}

Table validation_table(const Validation& v, bool all) {
  Table table;
  table.columns = {{"phase", "phase", false},
                   {"call", "call", false},
                   {"module", "module", false, kOnlyForPrograms},
                   {"shape", "shape", false, 85},
                   {"count", "calls", true, 140},
                   {"predicted_us", "predicted"},
                   {"median_us", "measured"},
                   {"p10_us", "p10", true, 120},
                   {"p90_us", "p90", true, 120},
                   {"error_percent", "error, %"},
                   {"band_percent", "band, %", true, 100},
                   {"within_band", "within", false, 150},
                   {"n", "n", true, 110},
                   {"cv_percent", "cv, %", true, 70},
                   {"share_percent", "share, %", true, 130},
                   {"stability", "", false, 70}};
  for (const PassValidation& pass : v.passes) add_rows(table, pass, all);
  return table;
}

}  // namespace tpsim::cli
