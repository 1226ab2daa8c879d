#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/measurement_output.h"
#include "cli/output.h"
#include "cli/problems.h"
#include "cli/run_ranks.h"
#include "cli/run_setup.h"
#include "cli/run_training.h"
#include "cli/run_values.h"
#include "cli/text.h"
#include "exec/interrupt.h"
#include "exec/run_plan.h"

namespace tpsim::cli {
namespace {

constexpr int kExitWrong = 5;
constexpr int kExitInterrupted = 128;  // plus the signal

void write_module(JsonWriter& json, const exec::ModuleError& module) {
  json.begin_object();
  json.member("module", module.module);
  json.member("band", module.band, kErrorDecimals);
  json.member("inside", module.inside);
  write_error(json, "found", module.error);
  json.end_object();
}

void write_tokens(JsonWriter& json, std::string_view name, const std::vector<std::vector<std::int64_t>>& sequences) {
  json.key(name);
  json.begin_array();
  for (const auto& tokens : sequences) {
    json.begin_array();
    for (const std::int64_t token : tokens) json.value(token);
    json.end_array();
  }
  json.end_array();
}

void write_numeric(JsonWriter& json, const exec::RunOutcome& outcome, const Options& options) {
  json.key("numeric");
  json.begin_object();
  json.member("verdict", to_string(outcome.verdict));
  write_error(json, "unsharded_vs_reference", outcome.unsharded_vs_reference);
  json.member("reference_band", outcome.reference_band, kErrorDecimals);
  json.member("reference_inside", outcome.reference_inside);
  write_error(json, "sharded_vs_unsharded", outcome.sharded_vs_unsharded);
  json.member("band", outcome.band, kErrorDecimals);
  json.key("first_divergent");
  if (outcome.first_divergent)
    write_module(json, *outcome.first_divergent);
  else
    json.null();
  json.member("events_as_analysed", outcome.events_as_analysed);
  write_events(json, "events", outcome.events);
  if (options.details.layers) {
    json.key("layers");
    json.begin_array();
    for (const exec::ModuleError& layer : outcome.layers) write_module(json, layer);
    json.end_array();
  }
  if (!outcome.generated_unsharded.empty()) {
    write_tokens(json, "generated", outcome.generated);
    write_tokens(json, "generated_unsharded", outcome.generated_unsharded);
  }
  json.end_object();
}

void write_json(JsonWriter& json, const RunSetup& loaded, const exec::RunOutcome& outcome, const Options& options) {
  json.begin_object();
  json.member("schema", "tpsim.run/1");
  json.member("model", loaded.model.source.id);
  json.member("plan", outcome.analysis.plan_name);
  json.member("dialect", to_string(options.dialect));
  json.member("tp", loaded.tp);
  json.member("ep", options.ep);
  json.member("dtype", to_string(loaded.dtype));
  json.member("backend", "cpu");
  json.member("comm", comm_of(options));
  json.member("weights", loaded.weight_source);
  json.member("batch", loaded.input.ids_shape[0]);
  json.member("tokens", loaded.input.ids_shape[1]);
  write_numeric(json, outcome, options);
  if (outcome.training) write_training(json, outcome, options.details.layers);
  std::vector<Problem> problems;
  merge(problems, outcome.analysis.diagnostics, loaded.tp);
  json.key("problems");
  write_problems(json, problems);
  if (outcome.measurement) write_measurement(json, loaded, options, *outcome.measurement);
  json.end_object();
}

Row module_row(const exec::ModuleError& module) {
  Row row;
  row.cells = {cell(module.module)};
  if (!module.error) {
    row.note = "another shape than the unsharded model's";
    return row;
  }
  row.cells.push_back(cell(module.error->max_abs, kErrorDecimals, size_text(module.error->max_abs)));
  row.cells.push_back(cell(module.error->max_rel, kErrorDecimals, size_text(module.error->max_rel)));
  row.cells.push_back(cell(module.error->rms, kErrorDecimals, size_text(module.error->rms)));
  row.cells.push_back(cell(module.band, kErrorDecimals, size_text(module.band)));
  row.cells.push_back(cell(std::string(module.inside ? "yes" : "NO"), module.inside ? Style::plain : Style::bold));
  return row;
}

Table layer_table(const exec::RunOutcome& outcome) {
  Table table;
  if (outcome.verdict == Verdict::error) return table;
  table.columns = {{"module", "module", false, 0}, {"max_abs", "max abs", true, 0}, {"max_rel", "max rel", true, 80},
                   {"rms", "rms", true, 80},       {"band", "band", true, 0},       {"inside", "inside", false, 0}};
  for (const exec::ModuleError& layer : outcome.layers) table.rows.push_back(module_row(layer));
  if (outcome.sharded_vs_unsharded)
    table.rows.push_back(module_row({"logits", outcome.sharded_vs_unsharded, outcome.band,
                                     exec::is_within(outcome.sharded_vs_unsharded, outcome.band)}));
  return table;
}

constexpr char kNotTheRealNumbers[] = "WRONG: the unsharded run does not give the real numbers of the file";

std::vector<std::string> heading_of(const RunSetup& loaded, const exec::RunOutcome& outcome) {
  std::vector<std::string> lines;
  if (!exec::real_numbers_met(outcome)) lines.push_back(kNotTheRealNumbers);
  std::string verdict =
      outcome.training && outcome.verdict != Verdict::error ? training_verdict(outcome)
      : outcome.verdict == Verdict::right ? "RIGHT: the sharded run gives the unsharded model's numbers"
      : outcome.verdict == Verdict::wrong ? "WRONG: the sharded run gives other numbers"
                                          : "ERROR: this version raises with the plan; it was not run";
  lines.push_back(verdict);
  lines.push_back("weights: " + loaded.weight_source + "; " + std::to_string(loaded.input.ids_shape[0]) + " x " +
                  std::to_string(loaded.input.ids_shape[1]) + " tokens, " + to_string(loaded.dtype));
  return lines;
}

std::vector<std::string> notes_of(const exec::RunOutcome& outcome) {
  std::vector<std::string> notes;
  for (const Diagnostic& diagnostic : outcome.analysis.diagnostics)
    if (outcome.verdict != Verdict::right && diagnostic.severity == Severity::error)
      notes.push_back("[" + diagnostic.code + "] " + diagnostic.message);
  if (outcome.unsharded_vs_reference)
    notes.push_back("unsharded run against the logits of the input file: max abs " +
                    size_text(outcome.unsharded_vs_reference->max_abs) + ", max rel " +
                    size_text(outcome.unsharded_vs_reference->max_rel) + ", band " + size_text(outcome.reference_band));
  if (outcome.first_divergent) notes.push_back("first module outside its band: " + outcome.first_divergent->module);
  if (outcome.verdict != Verdict::error)
    notes.push_back(plural(static_cast<std::int64_t>(outcome.events.size()), "collective") + " executed, " +
                    (outcome.events_as_analysed ? "the same as analysed" : "NOT those of the analysis"));
  if (outcome.training)
    for (std::string& note : training_notes(outcome)) notes.push_back(std::move(note));
  for (std::size_t b = 0; b < outcome.generated.size(); ++b) {
    std::string line = "sequence " + std::to_string(b) + ":";
    for (const std::int64_t token : outcome.generated[b]) line += " " + std::to_string(token);
    notes.push_back(
        line + (outcome.generated[b] == outcome.generated_unsharded[b] ? " (as unsharded)" : " (NOT as unsharded)"));
  }
  return notes;
}

int exit_code_of(const exec::RunOutcome& outcome) {
  if (!exec::real_numbers_met(outcome)) return kExitWrong;
  if (outcome.verdict == Verdict::error) return kExitNo;
  const bool analysed = outcome.events_as_analysed && (!outcome.training || outcome.training->backward_as_analysed);
  return outcome.verdict == Verdict::right && analysed ? kExitYes : kExitWrong;
}

// A measurement goes into the file of -o; people still see the table.
Result<void> keep_result(Context& context, Document document) {
  std::string text;
  JsonWriter json(text);
  document.json(json);
  if (auto written = write_file(*context.options.output, text + "\n"); !written) return written;
  context.output_written = true;
  Options options = context.options;
  options.output.reset();
  options.format = Format::table;
  Context people{context.command, options, context.terminal, context.err_terminal, {}, {}};
  if (auto shown = emit(people, std::move(document)); !shown) return shown;
  context.out = std::move(people.out);
  return {};
}

Result<int> interrupted(Context& context) {
  context.err = "error: " + exec::interrupted_error().message + "; nothing was written\n";
  context.output_written = true;
  return kExitInterrupted + exec::interrupt_signal();
}

Result<void> check_phase(const Options& options) {
  if (options.phase == Phase::train && options.iterations)
    return usage_error("--iters repeats inference passes, not training steps");
  if (options.phase == Phase::both || options.phase == Phase::train) return {};
  Error error = usage_error("a run computes the prompt and what --gen asks for, or a training step");
  error.fixes = {"--phase train", "leave out --phase"};
  return error;
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  if (auto phase = check_phase(options); !phase) return phase.error();
  const exec::InterruptGuard guard;
  auto ranks = ranks_of(options);
  if (!ranks) return ranks.error();
  RunSetup loaded;
  if (auto done = load_run(options, loaded); !done) return ranks->given_up(done.error());
  if (ranks->by_mpirun) {
    auto code = run_by_mpirun(context, std::max(loaded.tp, options.ep));
    return !code && exec::interrupt_signal() != 0 ? interrupted(context) : std::move(code);
  }
  exec::RunRequest request = request_of(loaded, options);
  if (ranks->process != nullptr) request.ranks_here = exec::process_place()->size_here;
  const auto outcome = exec::run_plan(request, ranks->launch);
  if (!outcome && exec::interrupt_signal() != 0) return interrupted(context);
  if (!outcome) return outcome.error();
  if (!ranks->first) return kExitYes;
  Document document;
  document.title = "Run of " + loaded.model.source.id + " at TP " + std::to_string(loaded.tp);
  document.heading = heading_of(loaded, *outcome);
  document.table = outcome->training                                 ? gradient_table(*outcome)
                   : outcome->measurement && !options.details.layers ? measurement_table(*outcome->measurement)
                                                                     : layer_table(*outcome);
  document.notes = notes_of(*outcome);
  document.json = [&](JsonWriter& json) { write_json(json, loaded, *outcome, options); };
  const bool keeps = outcome->measurement && options.output && output_format(options) == Format::json;
  const auto shown = keeps ? keep_result(context, std::move(document)) : emit(context, std::move(document));
  if (!shown) return shown.error();
  return exit_code_of(*outcome);
}

}  // namespace

Command run_command() {
  Command command;
  command.name = "run";
  command.summary = "execute a plan on real ranks and compare it with the unsharded model";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kSizeFlags | kDtypeFlags | kRunFlags |
                  kReportFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "tp", "input"};
  command.examples = {
      {"tpsim run -m DIR -p auto --tp 2 --dtype fp32", "weights of DIR, ids from a seed"},
      {"tpsim run -m DIR -p auto --comm mpi -n 4", "4 processes"},
      {"tpsim run -m DIR -p plan.json --tp 4 --input io.safetensors --json", ""},
      {"tpsim run -m DIR --tp 2 --prompt 512 --iters 20 -o run.json", "measures, for tpsim validate"},
      {"tpsim run -m DIR -p auto --tp 2 --phase train", "a training step: gradients, and the way back"}};
  command.description =
      "Every rank is a thread with its own shards, or with --comm mpi a process; mpirun -n N tpsim run ... works, too. "
      "The verdict compares the logits with those of the unsharded model, which is run first, against the band that "
      "rounding explains; --detail layers shows every layer. With --iters the prompt and a step of decoding are "
      "repeated under the clock, each operation and collective by itself; -o FILE.json keeps the measurement. With "
      "--phase train the gradients of loss = mean(logits^2) are compared instead. Exit code 5: executed but wrong, or "
      "the unsharded run is not inside the band around the real numbers that were given.";
  command.input_settings = false;
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
