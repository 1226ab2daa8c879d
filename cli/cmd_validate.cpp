#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/measurement_output.h"
#include "cli/output.h"
#include "cli/run_ranks.h"
#include "cli/run_setup.h"
#include "cli/stored_run.h"
#include "cli/text.h"
#include "core/analyze.h"
#include "core/validation.h"
#include "exec/interrupt.h"
#include "sim/call_times.h"

namespace tpsim::cli {
namespace {

constexpr int kExitOutside = 5;
constexpr int kExitInterrupted = 128;  // plus the signal
constexpr int kDefaultIterations = 20;
constexpr char kThisKind[] = "generic-cpu";
constexpr double kShown = 0.01;  // share of its pass from which people see a row
constexpr std::size_t kDifferencesShown = 20;

struct Validated {
  RunSetup setup;
  NumericSummary numeric;
  Measurement measurement;
  std::string hardware, stack, profile;
  Validation validation;
  double tolerance = 0;

  bool numbers_right() const { return numeric.verdict == "right"; }
  bool within() const { return validation.worst_total <= tolerance; }
  bool passed() const { return numbers_right() && numeric.events_as_analysed && validation.exact() && within(); }
};

NumericSummary summary_of(const exec::RunOutcome& outcome) {
  NumericSummary numeric;
  numeric.verdict = to_string(outcome.verdict);
  numeric.band = outcome.band;
  numeric.events_as_analysed = outcome.events_as_analysed;
  if (outcome.sharded_vs_unsharded) {
    numeric.max_abs = outcome.sharded_vs_unsharded->max_abs;
    numeric.max_rel = outcome.sharded_vs_unsharded->max_rel;
  }
  return numeric;
}

Result<void> take_stored(const StoredRun& run, const Options& options, Validated& v) {
  if (auto loaded = load_planned_model(options, v.setup); !loaded) return loaded;
  if (auto same = check_same_inputs(run, v.setup); !same) return same;
  v.numeric = run.numeric;
  v.measurement = run.measurement;
  return {};
}

// Processes would each print a validation.
Result<void> check_threads(const Options& options) {
  if (std::string(comm_of(options)) == "threads") return {};
  Error error = usage_error("validate runs on threads only");
  error.fixes = {"tpsim run --comm mpi --iters 20 -o run.json, then tpsim validate --result run.json"};
  return error;
}

Result<void> run_now(Options options, Validated& v) {
  if (!options.iterations) options.iterations = kDefaultIterations;
  if (auto threads = check_threads(options); !threads) return threads;
  auto ranks = ranks_of(options);
  if (!ranks) return ranks.error();
  if (auto loaded = load_run(options, v.setup); !loaded) return loaded;
  const auto outcome = exec::run_plan(request_of(v.setup, options), ranks->launch);
  if (!outcome) return outcome.error();
  v.numeric = summary_of(*outcome);
  if (!outcome->measurement) {
    Error error = input_error("this version raises with the plan: there is nothing to measure");
    error.fixes = {"tpsim check: what is wrong with the plan"};
    return error;
  }
  v.measurement = *outcome->measurement;
  return {};
}

Result<void> predict_and_compare(const Options& options, Validated& v) {
  Options on = options;
  if (!on.hardware) on.hardware = kThisKind;
  auto hardware = load_hardware_input(on);
  if (!hardware) return hardware.error();
  const auto stack = stack_named(options.stack.value_or("forward"), hardware->name);
  if (!stack) return stack.error();
  v.hardware = hardware->name;
  v.stack = stack->name;
  v.profile = options.profile.value_or("");
  Predictor predictor(*std::move(hardware), {*stack, {}});
  std::vector<PassPrediction> predictions;
  for (const PassMeasurement& pass : v.measurement.passes) {
    const auto analysis = analyze(v.setup.model.model, request_of(v.setup, options, pass));
    if (!analysis) return analysis.error();
    predictions.push_back(predict_calls(predictor, *analysis));
  }
  v.validation = compare(predictions, v.measurement);
  return {};
}

double share_of(const ComparedCalls& row, const PassValidation& pass) {
  const double total = pass.total.measured.median.count();
  return total > 0 ? row.measured.median.count() * static_cast<double>(row.calls.count) / total : 0;
}

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
    if (all || share_of(row, pass) >= kShown) rows.push_back(&row);
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

std::string exponent_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

std::string numeric_line(const NumericSummary& numeric) {
  std::string line = "numeric: sharded vs unsharded";
  if (numeric.max_abs) line += " max abs " + exponent_text(*numeric.max_abs);
  if (numeric.max_rel) line += ", max rel " + exponent_text(*numeric.max_rel);
  return line + " (band " + exponent_text(numeric.band) + ")  " + (numeric.verdict == "right" ? "PASS" : "FAIL");
}

std::vector<std::string> notes_of(const Validated& v) {
  const Validation& r = v.validation;
  std::vector<std::string> notes = {numeric_line(v.numeric)};
  const bool same = r.exact() && v.numeric.events_as_analysed;
  notes.push_back(std::string("shapes, bytes and collectives: ") +
                  (same ? "as predicted  PASS" : "NOT as predicted  FAIL"));
  for (std::size_t i = 0; i < std::min(r.differences.size(), kDifferencesShown); ++i)
    notes.push_back("  " + r.differences[i]);
  if (r.differences.size() > kDifferencesShown)
    notes.push_back("  ... and " + std::to_string(r.differences.size() - kDifferencesShown) + " more");
  notes.push_back("time: worst pass " + fixed(r.worst_total * 100, 1) + " %, tolerance " + fixed(v.tolerance * 100, 1) +
                  " %  " + (v.within() ? "PASS" : "FAIL") + "; calls of 1 % of their pass: median |error| " +
                  fixed(r.median_error * 100, 1) + " %, worst " + fixed(r.worst_error * 100, 1) + " %");
  return notes;
}

// What varies too much to be held against anything, the largest first.
std::string advice(const Validation& v) {
  const ComparedCalls* worst = nullptr;
  int unstable = 0;
  for (const PassValidation& pass : v.passes)
    for (const ComparedCalls& row : pass.calls) {
      if (!row.unstable || share_of(row, pass) < kShown) continue;
      ++unstable;
      if (worst == nullptr || row.measured.cv > worst->measured.cv) worst = &row;
    }
  if (worst == nullptr) return "";
  return "warning: " + plural(unstable, "call varies", "calls vary") + " by more than 5 % between runs (" +
         worst->calls.name + " " + worst->calls.shape + " by " + fixed(worst->measured.cv * 100, 1) +
         " %); use more --iters, or close other work\n";
}

void write_compared(JsonWriter& json, const ComparedCalls& row) {
  json.member("predicted_us", microseconds(row.predicted), 4);
  json.member("band", row.band, 4);
  write_timing(json, "measured", row.measured);
  json.member("error", row.error, 6);
  json.member("within_band", row.within);
  json.member("unstable", row.unstable);
}

void write_pass(JsonWriter& json, const PassValidation& pass) {
  json.begin_object();
  json.member("phase", pass.phase);
  json.member("batch", pass.batch);
  json.member("tokens", pass.tokens);
  json.member("past", pass.past);
  json.key("total");
  json.begin_object();
  write_compared(json, pass.total);
  json.end_object();
  json.member("between_calls_predicted_us", microseconds(pass.other_predicted), 4);
  write_timing(json, "between_calls", pass.other);
  write_timing(json, "skew", pass.skew);
  json.key("calls");
  json.begin_array();
  for (const ComparedCalls& row : pass.calls) {
    json.begin_object();
    write_calls(json, row.calls);
    write_compared(json, row);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_numeric(JsonWriter& json, const NumericSummary& numeric) {
  json.key("numeric");
  json.begin_object();
  json.member("verdict", numeric.verdict);
  for (const auto& [name, value] : {std::pair{"max_abs", numeric.max_abs}, {"max_rel", numeric.max_rel}}) {
    json.key(name);
    if (value)
      json.value(*value, 12);
    else
      json.null();
  }
  json.member("band", numeric.band, 12);
  json.member("events_as_analysed", numeric.events_as_analysed);
  json.end_object();
}

void write_json(JsonWriter& json, const Validated& v) {
  json.begin_object();
  json.member("schema", "tpsim.validate/1");
  json.member("model", v.setup.model.source.id);
  json.member("tp", v.setup.tp);
  json.member("dtype", to_string(v.setup.dtype));
  json.member("hardware", v.hardware);
  json.member("stack", v.stack);
  json.member("profile", v.profile);
  json.member("passed", v.passed());
  json.member("tolerance", v.tolerance, 6);
  json.member("worst_total_error", v.validation.worst_total, 6);
  json.member("median_call_error", v.validation.median_error, 6);
  json.member("worst_call_error", v.validation.worst_error, 6);
  write_numeric(json, v.numeric);
  json.array("differences", v.validation.differences);
  json.key("passes");
  json.begin_array();
  for (const PassValidation& pass : v.validation.passes) write_pass(json, pass);
  json.end_array();
  json.end_object();
}

Document document_of(const Validated& v, const Options& options) {
  Document document;
  document.title = "Validation of " + v.setup.model.source.id + " at TP " + std::to_string(v.setup.tp);
  document.heading = {plural(v.setup.tp, "rank") + ", " + v.setup.model.source.id + ", " + to_string(v.setup.dtype) +
                      "; predicted for " + v.hardware + (v.profile.empty() ? "" : " with " + v.profile)};
  document.table = validation_table(v.validation, output_format(options) != Format::table || options.verbosity > 0);
  document.notes = notes_of(v);
  document.json = [&v](JsonWriter& json) { write_json(json, v); };
  return document;
}

Result<int> run(Context& context) {
  Validated v;
  v.tolerance = context.options.tolerance;
  Options options = context.options;
  const exec::InterruptGuard guard;
  if (options.result) {
    const auto stored = read_stored_run(*options.result);
    if (!stored) return stored.error();
    const auto own = options_of(*stored, options);
    if (!own) return own.error();
    options = *own;
    if (auto taken = take_stored(*stored, options, v); !taken) return taken.error();
  } else if (auto measured = run_now(options, v); !measured) {
    if (exec::interrupt_signal() == 0) return measured.error();
    context.err = "error: " + measured.error().message + "; nothing was written\n";
    context.output_written = true;
    return kExitInterrupted + exec::interrupt_signal();
  }
  if (auto compared = predict_and_compare(options, v); !compared) return compared.error();
  if (auto emitted = emit(context, document_of(v, context.options)); !emitted) return emitted.error();
  if (!context.options.quiet) context.err += advice(v.validation);
  return v.passed() ? kExitYes : kExitOutside;
}

}  // namespace

Command validate_command() {
  Command command;
  command.name = "validate";
  command.summary = "hold the prediction against a run, call by call";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kDtypeFlags | kRunFlags |
                  kHardwareFlags | kStackFlags | kValidateFlags | kTableFlags;
  command.required = {"model"};
  command.instead_of_required = "result";
  command.in_usage = {"tp", "profile", "result", "tolerance"};
  command.examples = {{"tpsim validate -m DIR --tp 2 --profile mine.json", "runs, and compares"},
                      {"tpsim validate --result run.json --profile mine.json", "a run of before"}};
  command.description =
      "Shapes, bytes and collectives must be equal; times are shown with the error of the prediction and its 90 % "
      "band. Without --hw and --profile the prediction is for a generic CPU. Exit code 5: other numbers than the "
      "unsharded model's, other calls than predicted, or a pass whose time is "
      "further off than --tolerance.";
  command.input_settings = false;
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
