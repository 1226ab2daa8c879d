#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/text.h"
#include "sim/calibration.h"
#include "sim/measured/evaluate.h"

namespace tpsim::cli {
namespace {

struct Evaluation {
  std::vector<EvaluatedRow> rows;
  std::vector<EvaluationLine> lines;
  std::string csv;  // the files with predictions, one behind the other where the columns are the same
};

Row row_of(const EvaluationLine& line) {
  const auto share = [](double value) { return cell(value * 100, 2, fixed(value * 100, 1)); };
  const bool any = line.errors.n > 0;
  Row row;
  row.cells = {cell(line.family),
               cell(line.metric),
               cell(line.gpu),
               cell(line.key),
               cell(static_cast<std::int64_t>(line.errors.n)),
               cell(static_cast<std::int64_t>(line.not_predicted)),
               any ? share(line.errors.median) : no_value(),
               any ? share(line.errors.p90) : no_value(),
               any ? share(line.errors.mape) : no_value(),
               any ? share(line.errors.bias) : no_value(),
               any ? cell(line.covered * 100, 1, fixed(line.covered * 100, 0)) : no_value()};
  return row;
}

Table evaluation_table(const std::vector<EvaluationLine>& lines) {
  Table table;
  table.columns = {{"family", "family", false},
                   {"metric", "metric", false},
                   {"gpu", "GPU", false},
                   {"key", "of", false},
                   {"n", "n"},
                   {"not_predicted", "none"},
                   {"median_percent", "median", true, 0, "error, %"},
                   {"p90_percent", "p90", true, 0, "error, %"},
                   {"mape_percent", "MAPE", true, 0, "error, %"},
                   {"bias_percent", "bias", true, 0, "error, %"},
                   {"in_band_percent", "in band", true, 0}};
  for (const EvaluationLine& line : lines) table.rows.push_back(row_of(line));
  return table;
}

std::vector<EvaluationLine> speed_up_lines(const std::vector<SpeedUp>& pairs) {
  std::vector<EvaluatedRow> rows;
  for (const SpeedUp& pair : pairs) {
    EvaluatedRow row;
    row.gpu = pair.gpu;
    row.key = pair.model;
    row.metric = "TP speed-up, " + pair.metric;
    row.measured = pair.measured;
    row.predicted = pair.predicted;
    row.band = pair.band;
    rows.push_back(std::move(row));
  }
  auto lines = summarise(rows);
  return lines;
}

std::vector<std::string> reason_notes(const std::vector<EvaluatedRow>& rows) {
  std::vector<std::string> reasons;
  std::vector<std::int64_t> counts;
  for (const EvaluatedRow& row : rows) {
    if (row.reason.empty()) continue;
    std::size_t i = 0;
    while (i < reasons.size() && reasons[i] != row.reason) ++i;
    if (i == reasons.size()) {
      reasons.push_back(row.reason);
      counts.push_back(0);
    }
    ++counts[i];
  }
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < reasons.size(); ++i)
    notes.push_back(plural(counts[i], "row") + " without a prediction: " + reasons[i]);
  return notes;
}

Result<void> add_file(Evaluation& all, Evaluator& evaluator, const std::string& path) {
  const auto table = read_measured(path);
  if (!table) return table.error();
  auto rows = evaluator.evaluate(*table);
  if (!rows) return rows.error();
  all.csv += to_csv(with_predictions(*table, *rows));
  for (EvaluatedRow& row : *rows) all.rows.push_back(std::move(row));
  return {};
}

// The profile's own hardware, or that of --hw.
Result<Hardware> profile_hardware(const Options& options) {
  if (options.hardware) return load_hardware_input(options);
  Hardware any;
  if (auto used = use_profile(any, *options.profile); !used) return used.error();
  auto hardware = load_hardware(any.own_profile->hardware);
  if (hardware) hardware->own_profile = any.own_profile;
  return hardware;
}

bool writes_rows(const Options& options) { return options.output && output_format(options) == Format::csv; }

Result<int> run(Context& context) {
  const Options& options = context.options;
  if (writes_rows(options) && options.operands.size() > 1)
    return usage_error("-o FILE.csv writes the rows of one file; " + std::to_string(options.operands.size()) +
                       " were given");
  Evaluator evaluator;
  if (options.profile) {
    auto profile = profile_hardware(options);
    if (!profile) return profile.error();
    evaluator.use_profile(*profile);
  }
  Evaluation all;
  for (const std::string& path : options.operands)
    if (auto added = add_file(all, evaluator, path); !added) return added.error();
  all.lines = summarise(all.rows);
  for (EvaluationLine& line : speed_up_lines(speed_ups(all.rows))) all.lines.push_back(std::move(line));
  Document document;
  document.title = "Predictions against measured rows";
  document.table = evaluation_table(all.lines);
  document.notes = reason_notes(all.rows);
  document.json = [&](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.evaluate/1");
    json.key("lines");
    write_rows(evaluation_table(all.lines), json);
    json.end_object();
  };
  if (writes_rows(options)) {
    if (auto written = write_file(*options.output, all.csv); !written) return written.error();
    context.output_written = true;
    context.out += to_text(document.table, context.terminal, !options.no_header);
    for (const std::string& note : document.notes) context.err += note + "\n";
    return kExitYes;
  }
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command evaluate_command() {
  Command command;
  command.name = "evaluate";
  command.summary = "predictions against measured rows: errors per family, GPU and model";
  command.operands = "ROWS.csv...";
  command.min_operands = 1;
  command.max_operands = 64;
  command.flags = kTableFlags | kHardwareFlags;
  command.examples = {{"tpsim evaluate gemm.csv e2e.csv", ""},
                      {"tpsim evaluate rows.csv -o predicted.csv", "the same rows with predicted and reason columns"}};
  command.description =
      "Reads files of measured times, one number a row: operators (gemm, attention, mla, moe, collective, elementwise) "
      "or whole runs (e2e), told apart by their columns. Errors are |predicted / measured - 1|; \"in band\" is the "
      "share of rows inside the 90 % band of their prediction. Rows of grade C are predicted but not counted.";
  command.input_settings = false;
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
