#include <algorithm>

#include "cli/chart.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/passes_output.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/training_report.h"
#include "cli/verbose.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMaxProblemLines = 5;
constexpr int kMaxValidSize = 16;  // tried for --tp valid

void add_problem_lines(Context& context, const std::vector<Problem>& problems, const std::vector<int>& sizes) {
  const auto diagnostics = with_sizes(problems, sizes);
  for (std::size_t i = 0; i < diagnostics.size() && i < kMaxProblemLines; ++i) {
    if (diagnostics[i].severity == Severity::note) break;
    context.err += diagnostic_line(diagnostics[i], context.err_terminal);
  }
  const auto total = count(diagnostics, Severity::error) + count(diagnostics, Severity::warning);
  const auto shown = std::min<std::int64_t>(total, kMaxProblemLines);
  if (total > shown) context.err += "... and " + plural(total - shown, "more problem") + "\n";
}

std::string check_command_line(const Options& options) {
  std::string line = "tpsim check -m " + *options.model;
  if (options.plan) line += " -p " + *options.plan;
  if (options.dialect != kNewestDialect) line += " --dialect " + to_string(options.dialect);
  return line;
}

void add_next_line(Context& context, const Report& report) {
  std::vector<std::string> steps;
  const bool troubled = std::any_of(report.problems.begin(), report.problems.end(),
                                    [](const Problem& p) { return p.diagnostic.severity != Severity::note; });
  if (troubled) steps.push_back(check_command_line(context.options));
  steps.emplace_back("tpsim report ... --json");
  context.err += "Next: " + joined(steps, " | ") + "\n";
}

Error no_valid_size(int limit) {
  Error error = input_error("no TP size up to " + std::to_string(limit) + " is valid for this plan");
  error.fixes = {"--tp 2   shows why"};
  return error;
}

bool draws_picture(const Options& options) {
  return options.chart && options.output && options.output->ends_with(".svg");
}

std::string chart_title(const Report& report) {
  const Scenario& s = report.scenario;
  return s.input.source.id + " on " + s.hardware.name + ", batch " + std::to_string(s.batch) + ", prompt " +
         std::to_string(s.prompt);
}

// The picture of --chart -o FILE.svg; everything else of the report is left out.
Result<int> write_picture(Context& context, const Report& report) {
  auto written = write_file(*context.options.output, svg_chart(speedup_series(report), chart_title(report)));
  if (!written) return written.error();
  context.output_written = true;
  return kExitYes;
}

bool all_right_and_fit(const Report& report) {
  return std::all_of(report.results.begin(), report.results.end(),
                     [](const SizeResult& r) { return r.right() && r.memory.fits; });
}

std::vector<int> sizes_of(const TrainingReport& report) {
  std::vector<int> sizes;
  for (const TrainingResult& result : report.results) sizes.push_back(result.tp);
  return sizes;
}

Result<void> check_parts(const Options& options) {
  const Details& d = options.details;
  if (!options.chart && !d.shards && !d.events && !d.ops && !d.layers && !d.chunks) return {};
  return usage_error("--chart and --detail are not for --phase train");
}

Result<int> run_training(Context& context, Scenario scenario) {
  const Options& options = context.options;
  if (auto parts = check_parts(options); !parts) return parts.error();
  const auto report = build_training_report(std::move(scenario), options.training, sizes_or_default(options));
  if (!report) return report.error();
  if (report->results.empty()) return no_valid_size(kMaxValidSize);
  explain_inputs(context, report->scenario, report->shown());
  Document document;
  document.title = "Training " + report->scenario.input.source.id + " on " + report->scenario.hardware.name;
  document.heading = training_heading(*report, options, context.terminal.width);
  document.table = training_table(*report, options.units);
  document.notes = training_notes(*report, options.units);
  document.json = [&](JsonWriter& json) { write_training(json, *report); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  if (!options.quiet && output_format(options) == Format::table)
    add_problem_lines(context, report->problems, sizes_of(*report));
  const bool all = std::all_of(report->results.begin(), report->results.end(),
                               [](const TrainingResult& r) { return r.right() && r.memory.fits; });
  return options.require_fit && !all ? kExitNo : kExitYes;
}

Result<void> list_chunks(Report& report, const Details& details) {
  if (!details.chunks || report.scenario.chunks().passes() == 1) return {};
  for (SizeResult& size : report.results) {
    auto chunks = chunk_results(report.scenario, size);
    if (!chunks) return chunks.error();
    size.chunks = std::move(*chunks);
  }
  return {};
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  if (options.phase == Phase::train) return run_training(context, std::move(*scenario));
  auto report = build_report(std::move(*scenario), sizes_or_default(options));
  if (!report) return report.error();
  if (report->results.empty()) return no_valid_size(report->valid_limit);
  explain_inputs(context, report->scenario, report->shown());
  explain_figures(context, *report);
  if (draws_picture(options)) return write_picture(context, *report);
  Document document;
  document.title = report->scenario.input.source.id + " on " + report->scenario.hardware.name;
  document.heading = report_heading(*report, options, context.terminal.width);
  document.table = report_table(*report, options.units);
  document.notes = report_notes(*report, options.units);
  document.more = passes_tables(*report, options.units);
  if (auto listed = list_chunks(*report, options.details); !listed) return listed.error();
  document.json = [&](JsonWriter& json) { write_report(json, *report, options.details); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  if (options.chart && output_format(options) == Format::table)
    for (const auto& line : text_chart(speedup_series(*report), context.terminal)) context.out += line + "\n";
  if (!options.quiet && output_format(options) == Format::table) {
    add_problem_lines(context, report->problems, report->sizes());
    add_next_line(context, *report);
  }
  return options.require_fit && !all_right_and_fit(*report) ? kExitNo : kExitYes;
}

}  // namespace

Command report_command() {
  Command command;
  command.name = "report";
  command.summary = "memory, time, communication and efficiency over TP sizes (alias: analyze)";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kTrainingFlags | kDtypeFlags | kReportFlags | kTableFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "hw", "tp", "dialect", "batch", "prompt", "ctx"};
  command.examples = {
      {"tpsim report -m meta-llama/Llama-3.1-70B --hw h100-sxm --tp 1,2,4,8", "the shipped plan over four sizes"},
      {"tpsim report -m config.json -p my_plan.json --tp valid", "your plan at every size at which it is right"},
      {"tpsim report -m llama-3.1-8b --phase prefill -b 1 --prompt 512 --chart",
       "the speed-up of one forward pass; -o chart.svg writes a picture"},
      {"tpsim report -m llama-3.1-8b --phase train --tp 1,2,4,8 --recompute selective --sequence-parallel --zero 1 "
       "--dp 2",
       "memory and time of a training step"},
      {"tpsim report -m llama-3.1-70b --tp 4,8 --prompt 8Ki --chunk 1Ki --gen 512",
       "prefill in chunks, then 512 tokens: first token, time per token, total"},
      {"tpsim report -m config.json --tp 4 --json --detail shards,events", "everything, for programs"},
      {"tpsim report -m llama-3.1-8b --hw l4 --tp 1..4 -b 1 --ctx 32Ki --format csv", ""}};
  command.description =
      "Memory is that of the heaviest rank: weights, KV cache at the full context, the peak of activations in prefill, "
      "communication buffers and the runtime's reserve (\"other\" is the last two). prefill is one pass over the "
      "prompts of "
      "the whole batch, its speed-up is over one device without a plan. decode is one step of the whole batch at the "
      "full "
      "context; with --chunk prefill is several passes, with --gen the whole generation has a table of its own (tok/s "
      "there counts from the start of prefill); comm is the share of communication in it, eff its speed-up divided by "
      "the number of devices. Exit 0 "
      "even "
      "for a bad plan, unless --require-fit. With --phase train: a step of --micro-batches micro-batches, each of "
      "--batch "
      "sequences of --prompt tokens, with Adam; memory is that of the heaviest pipeline stage; eff is the speed-up "
      "over "
      "one "
      "device that takes all micro-batches of a replica, divided by the number of devices.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
