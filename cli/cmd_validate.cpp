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
#include "cli/validating.h"
#include "core/validation.h"
#include "exec/interrupt.h"

namespace tpsim::cli {
namespace {

constexpr int kExitOutside = 5;
constexpr int kExitInterrupted = 128;  // plus the signal
constexpr int kDefaultIterations = 20;
constexpr std::size_t kDifferencesShown = 20;

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
      if (!row.unstable || share_of(row, pass) < kShownShare) continue;
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
