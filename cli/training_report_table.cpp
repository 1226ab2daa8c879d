#include <algorithm>
#include <cmath>

#include "cli/messages.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/training_report.h"
#include "cli/valid_text.h"

namespace tpsim::cli {
namespace {

constexpr int kFull = 100;

Cell bytes_cell(std::int64_t bytes, Units units) { return cell(bytes, bytes_number(bytes, units)); }

std::int64_t workspace(const TrainingMemory& m) {
  return m.total() - m.weights - m.gradients - m.optimizer - m.activations;
}

Cell fit_cell(const TrainingFit& m, Units units) {
  if (!m.fits) return {false, "NO +" + bytes_number(m.total - m.capacity, units), Style::red};
  return {true, "yes " + percent(static_cast<double>(m.total) / static_cast<double>(m.capacity)), Style::plain};
}

std::vector<Column> columns(const TrainingReport& report, Units units) {
  const std::string memory = std::string("memory per rank, ") + bytes_unit(units);
  const std::string step = "training step";
  return {{"tp", "TP", true, 0},
          {"devices", "GPUs", true, 0},
          {"verdict", "", false, kOnlyForPrograms},
          {"weights_bytes", "weights", true, 0, memory},
          {"gradient_bytes", "grads", true, 0, memory},
          {"optimizer_bytes", "optim", true, 0, memory},
          {"activation_bytes", "act", true, 0, memory},
          {"", "other", true, kFull, memory},
          {"workspace_bytes", "", true, kOnlyForPrograms},
          {"allocator_bytes", "", true, kOnlyForPrograms},
          {"runtime_bytes", "", true, kOnlyForPrograms},
          {"total_bytes", "total", true, 0, memory},
          {"capacity_bytes", "", true, kOnlyForPrograms},
          {"fits", bytes_number(report.scenario.hardware.memory.value, units), true, 0, "fits in"},
          {"", "ms", true, 0, step},
          {"step_us", "", true, kOnlyForPrograms},
          {"low_us", "", true, kOnlyForPrograms},
          {"high_us", "", true, kOnlyForPrograms},
          {"tokens_per_s", "tok/s", true, 0, step},
          {"mfu", "MFU", true, 0, step},
          {"comm_share", "share", true, kFull, "comm"},
          {"speedup", "", true, kOnlyForPrograms},
          {"efficiency", "eff", true, kFull}};
}

Cell time_cell(const TrainingResult& r, double value, int decimals, const std::string& text) {
  return cell(value, decimals, r.memory.fits ? text : "(" + text + ")");
}

void add_times(Row& row, const TrainingResult& r) {
  if (!r.time) {
    for (int i = 0; i < 9; ++i) row.cells.push_back(no_value());
    return;
  }
  const double ms = milliseconds(r.time->step);
  row.cells.push_back(time_cell(r, ms, 3, fixed(ms, ms < 100 ? 2 : 0)));
  row.cells.push_back(cell(microseconds(r.time->step), 3, ""));
  row.cells.push_back(cell(microseconds(r.time->low), 3, ""));
  row.cells.push_back(cell(microseconds(r.time->high), 3, ""));
  row.cells.push_back(time_cell(r, r.tokens_per_s, 3, fixed(r.tokens_per_s, 0)));
  row.cells.push_back(cell(r.mfu, 4, percent(r.mfu)));
  row.cells.push_back(cell(r.comm_share, 4, percent(r.comm_share, 1)));
  row.cells.push_back(cell(r.speedup, 4, ""));
  row.cells.push_back(cell(r.efficiency, 4, percent(r.efficiency)));
}

Row row_of(const TrainingResult& r, Units units) {
  const TrainingFit& m = r.memory;
  Row row;
  row.cells = {cell(std::int64_t{r.tp}),
               cell(std::int64_t{r.devices}),
               cell(std::string(to_string(r.forward.verdict))),
               bytes_cell(m.parts.weights, units),
               bytes_cell(m.parts.gradients, units),
               bytes_cell(m.parts.optimizer, units),
               bytes_cell(m.parts.activations, units),
               bytes_cell(workspace(m.parts) + m.allocator + m.runtime, units),
               bytes_cell(workspace(m.parts), units),
               bytes_cell(m.allocator, units),
               bytes_cell(m.runtime, units),
               bytes_cell(m.total, units),
               bytes_cell(m.capacity, units),
               fit_cell(m, units)};
  add_times(row, r);
  if (r.forward.verdict == Verdict::error) row.note = failure_text(r.forward);
  return row;
}

std::string setup_line(const TrainingReport& report) {
  const TrainingSetup& s = report.setup;
  std::string text = plural(s.micro_batches, "micro-batch", "micro-batches") + " of " +
                     std::to_string(report.scenario.batch) + " x " + std::to_string(report.scenario.prompt) +
                     " tokens, recompute " + to_string(s.saved.recompute) + ", dp " + std::to_string(s.data_parallel) +
                     ", pp " + std::to_string(s.pipeline);
  if (s.virtual_stages > 1) text += " x " + std::to_string(s.virtual_stages) + " chunks";
  return text + ", ZeRO " + std::to_string(static_cast<int>(s.zero));
}

std::string types_line(const TrainingReport& report) {
  std::string text = std::string("gradients ") + to_string(report.setup.gradients) + ", Adam's moments " +
                     to_string(report.setup.optimizer);
  if (report.sequence_parallel) text += ", sequence parallel";
  if (report.parallel_loss) text += ", loss on cut logits";
  return text;
}

std::string fit_sentence(const TrainingReport& report, Units units) {
  const TrainingResult* const fit = report.smallest_fit();
  if (fit == nullptr) return "None of these sizes is right and fits.";
  return "Smallest TP that fits: " + std::to_string(fit->tp) + " (" +
         bytes_text(fit->memory.capacity - fit->memory.total, units) + " spare).";
}

std::string time_sentence(const TrainingReport& report) {
  for (const TrainingResult& r : report.results) {
    if (!r.time) continue;
    const bool brackets =
        std::any_of(report.results.begin(), report.results.end(), [](const auto& x) { return !x.memory.fits; });
    return "Times: " + std::string(to_string(r.time->source)) + ", 90 % within " + percent(std::expm1(r.time->band)) +
           " (" + report.scenario.stack.name + ")." + (brackets ? "  (..) = does not fit." : "");
  }
  return {};
}

// Where a pipeline waits, and which of its stages is the heaviest.
std::string pipeline_sentence(const TrainingReport& report) {
  const auto it = std::find_if(report.results.rbegin(), report.results.rend(), [](const auto& r) { return r.runs(); });
  if (report.setup.pipeline < 2 || it == report.results.rend()) return {};
  return "Pipeline at TP " + std::to_string(it->tp) + ": stage " + std::to_string(it->stage) +
         " has the most memory (shown); waiting takes " + percent(it->time->bubble / it->time->step) + " of the step.";
}

}  // namespace

Table training_table(const TrainingReport& report, Units units) {
  Table table;
  table.blocks_when_narrow = true;
  table.columns = columns(report, units);
  for (const TrainingResult& result : report.results) table.rows.push_back(row_of(result, units));
  return table;
}

std::vector<std::string> training_heading(const TrainingReport& report, const Options& options, int width) {
  auto lines = scenario_heading(report.scenario, report.shown(), report.problems, options, width);
  lines.push_back("training       " + setup_line(report));
  lines.push_back("               " + types_line(report));
  return lines;
}

std::vector<std::string> training_notes(const TrainingReport& report, Units units) {
  std::vector<std::string> notes = {fit_sentence(report, units) + "  Valid TP for this plan: " +
                                    (report.valid.tp.empty() ? "none" : size_list(report.valid.tp)) + "."};
  if (const auto pipeline = pipeline_sentence(report); !pipeline.empty()) notes.push_back(pipeline);
  if (report.setup.zero == ZeroStage::weights)
    notes.push_back("ZeRO 3: gathering weights layer by layer is not in the time.");
  if (const auto times = time_sentence(report); !times.empty()) notes.push_back(times);
  return notes;
}

}  // namespace tpsim::cli
