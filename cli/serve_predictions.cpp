#include "cli/serve_predictions.h"

#include <algorithm>
#include <bit>
#include <filesystem>

#include "cli/sweep_axes.h"
#include "cli/sweep_points.h"
#include "cli/sweep_rows.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostCells = 32;
constexpr std::int64_t kMostPoints = 10'000;

bool is_length(std::string_view argument) {
  for (const std::string_view flag : {"--batch=", "--prompt=", "--ctx="})
    if (argument.starts_with(flag)) return true;
  return false;
}

// Size and time of change; nothing for what is no file.
void append_state(std::string& out, const fs::path& path) {
  std::error_code code;
  const auto time = fs::last_write_time(path, code);
  if (code) return;
  out += '\n' + std::to_string(time.time_since_epoch().count());
  const auto size = fs::file_size(path, code);
  if (!code) out += ',' + std::to_string(size);
}

std::string question_of(const Options& options) {
  std::string text;
  for (const std::string& argument : options.arguments)
    if (!is_length(argument)) text += argument + '\n';
  for (const auto& [flag, given] : options.texts) text += flag + '\n' + given + '\n';
  for (const auto* file :
       {&options.model, &options.plan, &options.ep_plan, &options.strategy_file, &options.hardware, &options.profile})
    if (*file) append_state(text, **file);
  if (options.model) append_state(text, fs::path(*options.model) / "config.json");
  return text;
}

std::int64_t rounded_up(std::int64_t length) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)));
}

// A little more than asked for, so that slowly growing questions do not start anew each time.
Lengths generous(const Lengths& l, const Lengths& before) {
  return {rounded_up(std::max(l.batch, before.batch)), rounded_up(std::max(l.prompt, before.prompt)),
          rounded_up(std::max(l.context, before.context))};
}

bool within(const Lengths& l, const Lengths& tried) {
  return l.batch <= tried.batch && l.prompt <= tried.prompt && l.context <= tried.context;
}

Error too_many_points(std::int64_t points) {
  Error error = usage_error(grouped(points) + " points are more than the " + grouped(kMostPoints) + " of one question");
  error.fixes = {"several questions, or tpsim sweep"};
  return error;
}

}  // namespace

Result<ServePredictions::Kept*> ServePredictions::cell_for(const Options& options, const Lengths& largest) {
  const std::string question = question_of(options);
  const auto it = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.question == question; });
  Lengths before{1, 1, 1};
  if (it != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, it);
    if (within(largest, it->tried)) return &kept_.front();
    before = it->tried;
    kept_.pop_front();
  }
  auto scenario = load_scenario(options);
  if (!scenario) return scenario.error();
  const Lengths tried = generous(largest, before);
  const int tp = tp_of_cell(options);
  kept_.push_front({question, tried, tp, SweepCell(*std::move(scenario), tp, tried)});
  if (kept_.size() > kMostCells) kept_.pop_back();
  return &kept_.front();
}

Result<std::string> ServePredictions::answer(const Options& options) {
  const auto axes = sweep_axes(options);
  if (!axes) return axes.error();
  const SweepGrid grid(*axes);
  if (grid.cells() != 1) return usage_error("predict takes lists for batch, prompt and ctx only; ask once for each");
  if (grid.points() > kMostPoints) return too_many_points(grid.points());
  const auto kept = cell_for(grid.options_of(options, 0), largest_lengths(grid));
  if (!kept) return kept.error();
  Table table = sweep_table();
  for (std::int64_t point = 0; point < grid.points(); ++point) {
    const auto result = (*kept)->cell.result(lengths_at(grid, point));
    if (!result) return result.error();
    table.rows.push_back(sweep_row((*kept)->cell.scenario(), (*kept)->tp, *result));
  }
  if (options.fields_given)
    if (auto selected = select_fields(table, options.fields); !selected) return selected.error();
  std::string rows = to_ndjson(table);
  if (!rows.empty()) rows.pop_back();
  std::replace(rows.begin(), rows.end(), '\n', ',');
  return R"({"schema":"tpsim.predict/1","rows":[)" + rows + "]}";
}

}  // namespace tpsim::cli
