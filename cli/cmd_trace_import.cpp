#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/scenario.h"
#include "cli/sizes.h"
#include "cli/trace_import.h"
#include "core/analyze.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMostFiles = 4096;

struct Basis {
  ImportBasis import;
  std::optional<Predictor> predictor;
};

// With -m the model's pass; with --hw alone its kernels and collectives; else nothing is predicted.
Result<Basis> load_basis(const Options& options) {
  Basis basis;
  if (options.model) {
    const auto scenario = load_scenario(options);
    if (!scenario) return scenario.error();
    const auto tp = single_tp(options, *scenario);
    if (!tp) return tp.error();
    auto analysis = analyze(scenario->model(), request_for(*scenario, *tp, Pass::prefill));
    if (!analysis) return analysis.error();
    basis.import = {scenario->input.source.id + " at TP " + std::to_string(*tp) + " on " + scenario->hardware.name,
                    std::move(*analysis)};
    basis.predictor.emplace(scenario->hardware, PredictOptions{scenario->stack, {}});
  } else if (options.hardware || options.profile) {
    const auto hardware = load_hardware_input(options);
    if (!hardware) return hardware.error();
    const auto stack = stack_named(options.stack.value_or("forward"), hardware->name);
    if (!stack) return stack.error();
    basis.import.name = hardware->name;
    basis.predictor.emplace(*hardware, PredictOptions{*stack, {}});
  }
  return basis;
}

// The table that rows are wanted of: calls, else whatever the files hold.
Table main_table(const Page& page) {
  for (const char* field : {"calls", "sweeps", "nccl", "ranks", "files"})
    for (const PageSection& section : page.sections)
      if (section.field == field) return section.tables.front();
  return {};
}

void write_json(JsonWriter& json, const Page& page, const ImportBasis& basis, const std::vector<std::string>& notes) {
  json.begin_object();
  json.member("schema", "tpsim.trace-import/1");
  json.member("held_against", basis.name);
  json.array("notes", notes);
  write_sections(page, json);
  json.end_object();
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  auto basis = load_basis(options);
  if (!basis) return basis.error();
  const auto files = import_files(options.operands);
  if (!files) return files.error();
  const Page page = import_page(*files, basis->import, basis->predictor ? &*basis->predictor : nullptr);
  const Format format = output_format(options);
  if (format == Format::table && !options.fields_given && !options.sort) {
    context.out = to_text(page, context.terminal);
    if (!basis->predictor && !options.quiet)
      context.err += "Next: -m MODEL --tp N --hw NAME holds the calls against a prediction\n";
    return kExitYes;
  }
  if (format == Format::html && !options.fields_given) {
    context.out = to_html(page);
    return kExitYes;
  }
  if (format == Format::markdown && !options.fields_given) {
    context.out = to_markdown(page);
    return kExitYes;
  }
  Document document;
  document.title = page.title;
  document.table = main_table(page);
  document.json = [&](JsonWriter& json) { write_json(json, page, basis->import, files->notes); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command trace_import_command() {
  Command command;
  command.name = "trace import";
  command.summary = "read traces of the PyTorch profiler, logs of NCCL and output of nccl-tests";
  command.operands = "FILE...";
  command.min_operands = 1;
  command.max_operands = kMostFiles;
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kTableFlags;
  command.in_usage = {"model", "tp", "hw"};
  command.examples = {
      {"tpsim trace import rank*.pt.trace.json.gz", "exposed communication of every rank, time by family"},
      {"tpsim trace import rank*.json.gz -m llama-3.1-70b --tp 8 --hw h100-sxm",
       "calls by module, held against the prediction"},
      {"tpsim trace import nccl.log", "versions, ranks, networks, transports, algorithms, warnings"},
      {"tpsim trace import all_reduce_perf.txt --hw h100-sxm --format csv",
       "rows of nccl-tests with the predicted times"}};
  command.description =
      "Each file is taken for what its content is, and the answer says for what, and what was not understood. Of the "
      "profiler's traces: what the device did, how much of the communication nothing hid, and each product with a "
      "shape "
      "and each collective with a size. Where Python stacks were recorded, the layers are counted. Logs of NCCL are "
      "read "
      "line by line, with any launcher's prefix, and need no memory for their size. Rows of --format csv, plain and "
      "ndjson are the calls; without traces those of nccl-tests, then those of the log.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
