#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/problems.h"
#include "cli/run_setup.h"
#include "cli/sizes.h"
#include "cli/stored_run.h"
#include "cli/text.h"
#include "cli/trace_document.h"
#include "traces/gzip.h"

namespace tpsim::cli {
namespace {

Error stops(const Analysis& analysis) {
  Error error = input_error("the plan stops the pass, so there is no timeline: " + failure_text(analysis));
  error.fixes = {"tpsim check: what is wrong with the plan"};
  return error;
}

Result<void> add_pass(TracedRun& run, Predictor& predictor, const Model& model, const AnalysisRequest& request,
                      const char* name, std::optional<PassMeasurement> measured = {}) {
  auto analysis = analyze(model, request);
  if (!analysis) return analysis.error();
  if (!analysis->complete) return stops(*analysis);
  Prediction time = predictor.predict(*analysis);
  run.plan = analysis->plan_name;
  run.passes.push_back({name, std::move(*analysis), std::move(time), std::move(measured)});
  return {};
}

Result<TracedRun> predicted_run(const Options& options) {
  const auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  TracedRun run{scenario->input.source.id, "", *tp, scenario->hardware, scenario->stack, {}};
  Predictor predictor(scenario->hardware, {scenario->stack, {}});
  for (const auto& [pass, name, left_out] :
       {std::tuple{Pass::prefill, "prefill", Phase::decode}, {Pass::decode, "decode", Phase::prefill}}) {
    if (scenario->phase == left_out) continue;
    const AnalysisRequest request = request_for(*scenario, *tp, pass);
    if (auto added = add_pass(run, predictor, scenario->model(), request, name); !added) return added.error();
  }
  return run;
}

// The run says what it worked on.
Result<void> check_flags_of_result(const Options& options) {
  if (!options.batch && !options.prompt && !options.context && !options.generate && !options.kv_dtype) return {};
  return usage_error("--batch, --prompt, --ctx, --gen and --kv-dtype are those of the result");
}

bool is_wanted(const std::string& pass, Phase phase) { return phase == Phase::both || pass == to_string(phase); }

Result<TracedRun> measured_run(const Options& given) {
  if (auto clear = check_flags_of_result(given); !clear) return clear.error();
  const auto stored = read_stored_run(*given.result);
  if (!stored) return stored.error();
  auto options = options_of(*stored, given);
  if (!options) return options.error();
  RunSetup setup;
  if (auto loaded = load_planned_model(*options, setup); !loaded) return loaded.error();
  if (auto same = check_same_inputs(*stored, setup); !same) return same.error();
  auto machine = load_run_machine(*options);
  if (!machine) return machine.error();
  TracedRun run{setup.model.source.id, "", setup.tp, machine->hardware, machine->stack, {}};
  Predictor predictor(machine->hardware, {machine->stack, {}});
  for (const PassMeasurement& pass : stored->measurement.passes) {
    if (!is_wanted(pass.phase, given.phase)) continue;
    const AnalysisRequest request = request_of(setup, *options, pass);
    if (auto added = add_pass(run, predictor, setup.model.model, request, pass.phase.c_str(), pass); !added)
      return added.error();
  }
  if (run.passes.empty())
    return input_error("the run holds no pass of --phase " + std::string(to_string(given.phase)), stored->file);
  return run;
}

bool is_gzip_name(const Options& options) { return options.output && options.output->ends_with(".gz"); }

// JSON unless something else is asked for.
bool writes_trace(const Options& options) {
  if (options.format) return *options.format == Format::json;
  const Format by_name = output_format(options);
  return by_name == Format::table || by_name == Format::json;
}

std::string summary(const TracedRun& run, const std::string& file) {
  std::string text = file + ": ";
  std::size_t events = 0;
  std::string passes;
  for (const TracedPass& pass : run.passes) {
    events += predicted_timeline(pass.analysis, pass.time).events();
    passes += "; " + pass.name + " " + time_text(pass.time.total.count());
    if (pass.measured) passes += " (measured " + time_text(pass.measured->total.median.count()) + ")";
  }
  return text + plural(static_cast<std::int64_t>(events), "predicted event") + " on " +
         plural(run.passes.front().analysis.ranks(), "rank") + passes + "\n";
}

Result<int> write_events(Context& context, const TracedRun& run) {
  const Options& options = context.options;
  constexpr int event_depth = 2;  // an event a line
  JsonWriter json(context.out, event_depth);
  write_trace(json, run);
  context.out += '\n';
  if (is_gzip_name(options)) {
    auto packed = gzip(context.out);
    if (!packed) return packed.error();
    context.out = std::move(*packed);
  }
  if (options.output && !options.quiet) context.err += summary(run, *options.output);
  return kExitYes;
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  const auto traced = options.result ? measured_run(options) : predicted_run(options);
  if (!traced) return traced.error();
  if (writes_trace(options)) return write_events(context, *traced);
  Document document;
  document.title = "Timeline of " + traced->model + " at TP " + std::to_string(traced->tp);
  document.heading = {traced->model + " at TP " + std::to_string(traced->tp) + " on " + traced->hardware.name +
                      ", rank 0 of " + std::to_string(traced->passes.front().analysis.ranks())};
  document.table = trace_table(*traced);
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command trace_command() {
  Command command;
  command.name = "trace";
  command.summary = "the predicted timeline of every rank, for Perfetto and chrome://tracing";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTraceFlags | kTableFlags;
  command.required = {"model"};
  command.instead_of_required = "result";
  command.in_usage = {"plan", "hw", "tp", "phase", "result", "output"};
  command.examples = {
      {"tpsim trace -m llama-3.1-70b --tp 8 -o t.json.gz", "prefill, then a step of decoding; open in Perfetto"},
      {"tpsim trace --result run.json -o t.json",
       "a measured run (tpsim run --iters 20 -o run.json) and its prediction"},
      {"tpsim trace -m llama-3.1-8b --tp 4 --phase decode --format csv", "rank 0 as rows"}};
  command.description =
      "One process per rank, with the model's parts, computation and communication; arrows join a collective over the "
      "ranks. Each event says module, shape, bytes, time, band, source and formula. Every rank has the times of the "
      "heaviest. JSON in Chrome's trace format unless another --format is asked for; a name that ends in .gz is "
      "packed. Measured runs keep medians per kind of call, which the timeline repeats; it is no recording.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
