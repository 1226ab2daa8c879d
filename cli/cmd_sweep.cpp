#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/ordered_tasks.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/sweep_axes.h"
#include "cli/sweep_file.h"
#include "cli/sweep_points.h"
#include "cli/sweep_rows.h"
#include "cli/text.h"
#include "cli/values.h"
#include "exec/interrupt.h"

namespace tpsim::cli {
namespace {

constexpr std::int64_t kPointsPerTask = 1024;
constexpr int kExitInterrupted = 128;  // plus the signal

// The part of the grid that this process works on, when a launcher started several.
struct Share {
  int rank = 0, size = 1;
};

Share share_of_launcher() {
  for (const auto& [rank, size] :
       {std::pair{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, std::pair{"PMI_RANK", "PMI_SIZE"}}) {
    const char* const r = std::getenv(rank);
    const char* const s = std::getenv(size);
    const auto mine = parse_size(r == nullptr ? "" : r), all = parse_size(s == nullptr ? "" : s);
    if (mine && all && *all >= 1 && *all <= (1 << 20) && *mine < *all)
      return {static_cast<int>(*mine), static_cast<int>(*all)};
  }
  return {};
}

// "out.ndjson" -> "out.2-of-4.ndjson"
std::string shared_name(const std::string& path, const Share& share) {
  if (share.size == 1 || path.empty() || path == "-") return path;
  const std::string part = "." + std::to_string(share.rank) + "-of-" + std::to_string(share.size);
  const auto slash = path.rfind('/');
  const auto dot = path.rfind('.');
  const bool has_extension = dot != std::string::npos && (slash == std::string::npos || dot > slash + 1) && dot > 0;
  return has_extension ? path.substr(0, dot) + part + path.substr(dot) : path + part;
}

struct Sweep {
  const Options& options;
  SweepGrid grid;
  Format format = Format::ndjson;
  std::int64_t first = 0, end = 0;  // points of this process
  Lengths largest;
};

// A task: points of one cell, at most kPointsPerTask of them.
struct Task {
  std::int64_t cell = 0, first = 0, end = 0;  // points inside the cell
};

std::int64_t tasks_per_cell(const SweepGrid& grid) {
  return (grid.points_per_cell() + kPointsPerTask - 1) / kPointsPerTask;
}

Task task_at(const SweepGrid& grid, std::int64_t index) {
  const std::int64_t per_cell = tasks_per_cell(grid);
  const std::int64_t first = index % per_cell * kPointsPerTask;
  return {index / per_cell, first, std::min(first + kPointsPerTask, grid.points_per_cell())};
}

Result<Format> format_of(const Options& options) {
  const Format format = output_format(options);
  if (format == Format::table) return Format::ndjson;
  if (format == Format::ndjson || format == Format::csv) return format;
  Error error = usage_error("a sweep streams rows: --format ndjson (default) or csv");
  error.fixes = {"--format ndjson"};
  return error;
}

// One value per axis other than `flag`'s is enough to find what cannot be loaded before anything is written.
Result<void> check_inputs(const Options& base, const std::vector<Axis>& axes) {
  for (const Axis& axis : axes) {
    for (const std::string& value : axis.values) {
      if (is_length_axis(axis.flag) || axis.flag == "tp") break;
      std::vector<Axis> one = axes;
      for (Axis& other : one) {
        if (other.values.size() > 1) other.values.resize(1);
        if (other.flag == axis.flag) other.values = {value};
      }
      if (auto loaded = load_scenario(SweepGrid(std::move(one)).options_of(base, 0)); !loaded) return loaded.error();
    }
  }
  return {};
}

Result<void> keep_fields(Table& table, const Options& options) {
  return options.fields_given ? select_fields(table, options.fields) : Result<void>{};
}

// Keeps the cell of its last task.
class Worker {
public:
  explicit Worker(const Sweep& sweep) : sweep_(&sweep) {}

  Result<std::string> operator()(std::int64_t index) {
    const Task task = task_at(sweep_->grid, index);
    if (auto ready = enter(task.cell); !ready) return ready.error();
    Table table = sweep_table();
    for (std::int64_t inner = task.first; inner < task.end; ++inner) {
      const std::int64_t point = task.cell * sweep_->grid.points_per_cell() + inner;
      if (point < sweep_->first || point >= sweep_->end) continue;
      const auto result = cell_->result(lengths_at(sweep_->grid, inner));
      if (!result) return result.error();
      table.rows.push_back(sweep_row(cell_->scenario(), tp_, *result));
    }
    if (auto selected = keep_fields(table, sweep_->options); !selected) return selected.error();
    return sweep_->format == Format::csv ? to_csv(table, false) : to_ndjson(table);
  }

private:
  Result<void> enter(std::int64_t cell) {
    if (cell_ && cell == index_) return {};
    const Options options = sweep_->grid.options_of(sweep_->options, cell);
    auto scenario = load_scenario(options);
    if (!scenario) return scenario.error();
    tp_ = tp_of_cell(options);
    cell_.reset();
    cell_.emplace(std::move(*scenario), tp_, sweep_->largest);
    index_ = cell;
    return {};
  }

  const Sweep* sweep_;
  std::optional<SweepCell> cell_;
  std::int64_t index_ = -1;
  int tp_ = 1;
};

std::string header_of(const Sweep& sweep) {
  if (sweep.format != Format::csv || sweep.options.no_header) return {};
  Table table = sweep_table();
  (void)keep_fields(table, sweep.options);
  return to_csv(table, true);
}

// The row that was last in an interrupted file has to be what this sweep says of that point.
Result<void> check_last_row(const Sweep& sweep, const SweepFile& file, std::int64_t kept) {
  if (kept <= 0) return {};
  Sweep last{sweep.options, sweep.grid, sweep.format, sweep.first + kept - 1, sweep.first + kept, sweep.largest};
  const std::int64_t cell = last.first / sweep.grid.points_per_cell();
  const std::int64_t inner = last.first % sweep.grid.points_per_cell();
  const auto text = Worker(last)(cell * tasks_per_cell(sweep.grid) + inner / kPointsPerTask);
  if (!text) return text.error();
  if (*text == file.last_line() + "\n") return {};
  Error error = usage_error("--resume: " + file.part() + " is of another sweep: its last row differs");
  error.fixes = {"give the flags of the interrupted sweep, or start anew without --resume"};
  return error;
}

std::int64_t task_of_point(const SweepGrid& grid, std::int64_t point) {
  const std::int64_t cell = point / grid.points_per_cell(), inner = point % grid.points_per_cell();
  return cell * tasks_per_cell(grid) + inner / kPointsPerTask;
}

struct Ended {
  std::int64_t rows = 0;
  bool whole = true;
};

Result<Ended> stream(Context& context, const Sweep& sweep, SweepFile& file) {
  Progress progress("sweep", sweep.end - sweep.first, context.err_terminal, context.options.quiet);
  std::int64_t rows = 0;
  bool read = true;
  TaskRun run;
  run.first = task_of_point(sweep.grid, sweep.first);
  run.end = sweep.first < sweep.end ? task_of_point(sweep.grid, sweep.end - 1) + 1 : run.first;
  run.threads = context.options.jobs.value_or(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  run.threads = static_cast<int>(std::clamp<std::int64_t>(run.end - run.first, 1, run.threads));
  run.make_worker = [&] {
    return [worker = std::make_shared<Worker>(sweep)](std::int64_t task) { return (*worker)(task); };
  };
  run.stopped = [] { return exec::interrupt_signal() != 0; };
  run.take = [&](std::int64_t, const std::string& text) -> Result<bool> {
    const auto written = file.write(text);
    if (!written) return written.error();
    rows += std::count(text.begin(), text.end(), '\n');
    progress.at(rows);
    read = *written;
    return read;
  };
  const auto done = run_in_order(run);
  if (!done) return done.error();
  return Ended{rows, !read || *done == run.end - run.first};
}

int interrupted(Context& context, const SweepFile& file, std::int64_t rows) {
  context.err += "stopping, keeping " + grouped(rows) + " results";
  if (!file.part().empty()) context.err += " in " + file.part() + "; the same command with --resume goes on";
  context.err += "; incomplete\n";
  return kExitInterrupted + std::max(exec::interrupt_signal(), 0);
}

void take_share(Sweep& sweep, const Share& share) {
  const auto cut = [&](int rank) { return sweep.grid.points() * rank / share.size; };
  sweep.first = cut(share.rank);
  sweep.end = cut(share.rank + 1);
}

Result<int> list_fields(Context& context) {
  for (const auto& name : field_names(sweep_table())) context.out += name + "\n";
  return kExitYes;
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  if (options.fields_given && options.fields.empty()) return list_fields(context);
  if (options.resume && !options.output) return usage_error("--resume needs the -o FILE of the interrupted sweep");
  const auto format = format_of(options);
  if (!format) return format.error();
  const auto axes = sweep_axes(options);
  if (!axes) return axes.error();
  if (auto loaded = check_inputs(options, *axes); !loaded) return loaded.error();
  Sweep sweep{options, SweepGrid(*axes), *format, 0, 0, {}};
  if (Table table = sweep_table(); true)
    if (auto selected = keep_fields(table, options); !selected) return selected.error();
  sweep.largest = largest_lengths(sweep.grid);
  const Share share = share_of_launcher();
  take_share(sweep, share);
  const exec::InterruptGuard guard;
  auto file = SweepFile::open(shared_name(options.output.value_or(""), share), options.resume);
  if (!file) return file.error();
  context.output_written = true;
  const std::string header = share.rank == 0 || options.output ? header_of(sweep) : std::string();
  const std::int64_t kept = file->lines() - (header.empty() || file->lines() == 0 ? 0 : 1);
  if (kept > sweep.end - sweep.first)
    return usage_error("--resume: " + file->part() + " has more rows than this sweep");
  if (auto same = check_last_row(sweep, *file, kept); !same) return same.error();
  sweep.first += kept;
  if (file->lines() == 0)
    if (auto written = file->write(header); !written) return written.error();
  const auto ended = stream(context, sweep, *file);
  if (!ended) return ended.error();
  if (!ended->whole) return interrupted(context, *file, kept + ended->rows);
  if (auto finished = file->finish(); !finished) return finished.error();
  return kExitYes;
}

}  // namespace

Command sweep_command() {
  Command command;
  command.name = "sweep";
  command.summary = "a grid over models, plans, sizes, loads and hardware, one row per point";
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kSweepFlags;
  command.required = {"model"};
  command.in_usage = {"plan", "hw", "tp", "batch", "prompt", "ctx", "output", "resume"};
  command.examples = {
      {"tpsim sweep -m llama-3.1-70b --tp 1,2,4,8 -b 1..64*2 --ctx 1Ki..32Ki*2 --hw h100-sxm,h200", ""},
      {"tpsim sweep -m config.json -p auto,mine.json --tp 2,4,8 -b 1..256 -o grid.csv", "a file, by its extension"},
      {"tpsim sweep -m config.json -p auto,mine.json --tp 2,4,8 -b 1..256 -o grid.csv --resume",
       "goes on where Ctrl-C stopped it"},
      {"mpirun -n 4 tpsim sweep -m config.json --tp 1..8 -b 1..512 -o grid.ndjson",
       "each process its share: grid.0-of-4.ndjson ..."}};
  command.description =
      "-m, -p, --dialect, --hw, --stack, --dtype, --kv-dtype, --ep, --tp, --batch, --prompt, --chunk, --gen and --ctx "
      "take lists; "
      "numbers also A..B, A..B*FACTOR and A..B+STEP. The grid is every combination, ctx runs fastest. A row says what "
      "tpsim report says of that point (--fields '' lists its fields); points at which the plan stops, or with a "
      "context shorter than the prompt, have a reason and no figures. Rows stream as NDJSON or CSV; with -o they go to "
      "FILE.part, which becomes FILE when the sweep is whole.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
