#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/plan_code.h"
#include "cli/plan_output.h"
#include "cli/report_page.h"
#include "cli/sizes.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

// --as, else what the extension of -o says.
ExportKind kind_of(const Options& options) {
  if (options.export_as) return *options.export_as;
  return options.output && options.output->ends_with(".py") ? ExportKind::python : ExportKind::report;
}

Result<Analysis> analysis_at_one_size(const Options& options) {
  const auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto tp = single_tp(options, *scenario);
  if (!tp) return tp.error();
  return analyze(scenario->model(), request_for(*scenario, *tp, Pass::forward));
}

Result<int> finish(Context& context, const PlanCode& code, const Analysis& analysis) {
  context.out = code.text;
  for (const std::string& rule : code.left_out)
    context.err += styled("warning", Style::yellow, context.err_terminal) + ": left out: " + rule + "\n";
  if (analysis.verdict == Verdict::wrong || analysis.verdict == Verdict::error)
    context.err += styled("warning", Style::yellow, context.err_terminal) + ": the plan is " +
                   to_string(analysis.verdict) + " at TP " + std::to_string(analysis.parallelism.tp) +
                   "; see tpsim check\n";
  return code.left_out.empty() ? kExitYes : kExitNo;
}

Result<int> write_code(Context& context, ExportKind kind) {
  const Options& options = context.options;
  if (options.format)
    return usage_error("--format is for reports; --as " + std::string(to_string(kind)) + " writes Python");
  const auto analysis = analysis_at_one_size(options);
  if (!analysis) return analysis.error();
  if (kind == ExportKind::python) return finish(context, {to_python(plan_in_effect(*analysis)), {}}, *analysis);
  if (kind == ExportKind::parallelize_module) return finish(context, parallelize_module(*analysis), *analysis);
  const auto code = distributed_config(*analysis);
  if (!code) return code.error();
  return finish(context, *code, *analysis);
}

// HTML unless something else is asked for.
Format report_format(const Options& options) {
  const Format format = output_format(options);
  return !options.format && format == Format::table ? Format::html : format;
}

Result<int> write_report(Context& context) {
  const Options& options = context.options;
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const auto report = build_report(std::move(*scenario), sizes_or_default(options));
  if (!report) return report.error();
  if (report->results.empty()) return input_error("no TP size is valid for this plan");
  const Format format = report_format(options);
  if (format == Format::html) {
    context.out = to_html(report_page(*report, options));
    return kExitYes;
  }
  if (format == Format::markdown) {
    context.out = to_markdown(report_page(*report, options));
    return kExitYes;
  }
  Document document;
  document.title = report->scenario.input.source.id + " on " + report->scenario.hardware.name;
  document.heading = report_heading(*report, options, context.terminal.width);
  document.table = report_table(*report, options.units);
  document.notes = report_notes(*report, options.units);
  document.json = [&](JsonWriter& json) { write_report(json, *report, {true, true, true, false}); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

Result<int> run(Context& context) {
  const ExportKind kind = kind_of(context.options);
  return kind == ExportKind::report ? write_report(context) : write_code(context, kind);
}

}  // namespace

Command export_command() {
  Command command;
  command.name = "export";
  command.summary = "a report to hand on (HTML, Markdown, JSON, CSV), or the plan as code to paste";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags | kExportFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "hw", "tp", "as", "output"};
  command.examples = {{"tpsim export -m llama-3.1-70b --tp 1,2,4,8 -o report.html", "one file, opens offline, prints"},
                      {"tpsim export -m llama-3.1-70b --tp 1,2,4,8 -o report.md", ""},
                      {"tpsim export -m qwen3-8b --tp 4 --as distributed-config", "for Transformers"},
                      {"tpsim export -m llama-3.1-8b --tp 2 --as parallelize-module -o tp.py", "for torch alone"}};
  command.description =
      "A report holds the table over TP sizes, pictures, problems, and for the smallest size that fits memory, "
      "collectives and plan; as JSON it is the document of tpsim report with all details. Code is of the plan in "
      "effect, "
      "all sources merged. Exit code 1: a rule has no equivalent there, and is named on standard error. Timelines: "
      "tpsim trace.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
