#include <optional>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/machine_rows.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/trace_rows.h"
#include "sim/measured/calibrate.h"
#include "traces/gzip.h"
#include "traces/kineto.h"
#include "traces/nccl_tests.h"

namespace tpsim::cli {
namespace {

struct Inputs {
  std::vector<MeasuredTable> tables;
  std::vector<CollectiveSweep> sweeps;
  std::vector<KinetoTrace> traces;
  std::vector<std::string> notes;
};

Result<void> add_trace(Inputs& inputs, Result<KinetoTrace> trace) {
  if (!trace) return trace.error();
  inputs.traces.push_back(std::move(*trace));
  return {};
}

// A trace of the PyTorch profiler where it looks like one; a table of rows where its header is one; else what
// nccl-tests prints.
Result<void> add_file(Inputs& inputs, const std::string& path) {
  const auto text = read_input(path);
  if (!text) return text.error();
  if (is_gzip(*text)) return add_trace(inputs, read_kineto(path));
  if (looks_like_kineto(*text)) return add_trace(inputs, parse_kineto(*text, path));
  auto table = parse_measured(*text, path);
  if (table && table->columns.size() > 1 && table->has("time_us")) {
    inputs.tables.push_back(std::move(*table));
    return {};
  }
  auto output = parse_nccl_tests(*text, path);
  if (!output) return output.error();
  for (auto& sweep : output->sweeps) inputs.sweeps.push_back(std::move(sweep));
  for (auto& note : output->notes) inputs.notes.push_back(std::move(note));
  return {};
}

Table errors_table(const CalibrationFit& fit) {
  Table table;
  table.columns = {{"family", "family", false},
                   {"rows", "rows"},
                   {"before_median_percent", "median", true, 0, "before, %"},
                   {"before_p90_percent", "p90", true, 0, "before, %"},
                   {"after_median_percent", "median", true, 0, "after, rows held out, %"},
                   {"after_p90_percent", "p90", true, 0, "after, rows held out, %"}};
  const auto share = [](const ErrorSummary& s, double value) {
    return s.n > 0 ? cell(value * 100, 2, fixed(value * 100, 1)) : no_value();
  };
  for (const CalibratedFamily& f : fit.families) {
    Row row;
    row.cells = {cell(f.family),
                 cell(static_cast<std::int64_t>(f.rows)),
                 share(f.before, f.before.median),
                 share(f.before, f.before.p90),
                 share(f.after, f.after.median),
                 share(f.after, f.after.p90)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

Result<void> check_here(const Options& options) {
  if (options.here && options.hardware) return usage_error("--here measures this machine: leave --hw out");
  if (options.here || (options.hardware && !options.operands.empty())) return {};
  Error error = usage_error("calibrate needs --hw and files with measurements, or --here");
  error.fixes = {"--here", "--hw NAME ROWS.csv"};
  return error;
}

Result<Hardware> machine_of(const Options& options, std::optional<MachineRows>& here) {
  const DType dtype = options.dtype.value_or(DType::fp32);
  if (dtype != DType::fp32 && dtype != DType::bf16) return usage_error("--here measures fp32 or bf16");
  auto measured = measure_machine(dtype);
  if (!measured) return measured.error();
  here = *std::move(measured);
  return here->machine;
}

void keep_machine(const MachineRows& here, Calibration& calibration) {
  calibration.machine_text = here.machine_text;
  calibration.stack = here.stack;
  calibration.provenance = here.provenance;
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  if (!options.output) {
    Error error = usage_error("calibrate writes a profile and needs -o FILE.json");
    error.fixes = {"-o profile.json"};
    return error;
  }
  if (auto known = check_here(options); !known) return known.error();
  std::optional<MachineRows> here;
  auto hardware = options.here ? machine_of(options, here) : load_hardware_input(options);
  if (!hardware) return hardware.error();
  Inputs inputs;
  if (here) inputs.tables = here->tables;
  for (const std::string& path : options.operands)
    if (auto added = add_file(inputs, path); !added) return added.error();
  if (!inputs.traces.empty()) {
    auto rows = rows_of_traces(inputs.traces, *hardware);
    if (!rows) return rows.error();
    std::move(rows->tables.begin(), rows->tables.end(), std::back_inserter(inputs.tables));
    std::move(rows->notes.begin(), rows->notes.end(), std::back_inserter(inputs.notes));
  }
  auto fit = calibrate(inputs.tables, inputs.sweeps, *hardware);
  if (!fit) return fit.error();
  if (here) keep_machine(*here, fit->calibration);
  if (auto written = write_file(*options.output, to_json(fit->calibration)); !written) return written.error();
  context.output_written = true;
  context.out += to_text(errors_table(*fit), context.terminal, !options.no_header);
  if (options.quiet) return kExitYes;
  for (const auto& note : inputs.notes) context.err += note + "\n";
  for (const CalibratedFamily& family : fit->families)
    for (const auto& note : family.notes) context.err += family.family + ": " + note + "\n";
  const std::string named = here ? "" : "--hw " + hardware->name + " ";
  context.err += "Next: tpsim report ... " + named + "--profile " + *options.output + "\n";
  return kExitYes;
}

}  // namespace

Command calibrate_command() {
  Command command;
  command.name = "calibrate";
  command.summary = "fit a profile to your own measurements";
  command.operands = "ROWS.csv|NCCL_TESTS.txt|TRACE.json[.gz]...";
  command.min_operands = 0;
  command.max_operands = 64;
  command.flags = kHardwareFlags | kDtypeFlags | kCalibrateFlags;
  command.in_usage = {"hw", "here", "output"};
  command.examples = {{"tpsim calibrate --hw h100-sxm gemm.csv all_reduce_perf.txt -o mine.json", ""},
                      {"tpsim calibrate --hw h200 rank0.pt.trace.json.gz rank1.pt.trace.json.gz -o mine.json",
                       "traces of the PyTorch profiler"},
                      {"tpsim calibrate --here -o here.json", "this machine, with the kernels of tpsim run"},
                      {"tpsim report -m llama-3.1-70b --hw h100-sxm --profile mine.json", "uses it"}};
  command.description =
      "Rows in the form that tpsim evaluate reads (gemm, elementwise, attention, mla, collective; times in "
      "microseconds), output of nccl-tests in any form people paste, and traces of the PyTorch profiler (products "
      "whose shapes "
      "were recorded, by the median; collectives with sizes, by the shortest time). The fit starts from what is known "
      "of the "
      "hardware: few rows rescale it, many replace it; families without rows stay. Errors after the fit are of rows "
      "that it had not seen. Refuses rows of several GPUs, times in other units, rates above the data sheet.";
  command.input_settings = false;
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
