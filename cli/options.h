// What the command line asked for, typed and range-checked. Filled by the flag table (cli/flags.cpp), read by the
// commands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/dialect.h"
#include "core/dtype.h"
#include "sim/training/training_setup.h"

namespace tpsim::cli {

enum class Format { table, plain, json, ndjson, csv, markdown, html, github, sarif };
enum class Units { iec, si, bytes };
enum class ColorMode { automatic, always, never };
enum class Phase { prefill, decode, both, train };

// What `tpsim export` writes.
enum class ExportKind { report, python, distributed_config, parallelize_module };
const char* to_string(ExportKind kind);  // "distributed-config"

// `--tp`: sizes in ascending order without duplicates, or "valid": those at which the plan is right.
struct TpChoice {
  bool valid = false;
  std::vector<int> sizes;
};

struct Details {
  bool shards = false, events = false, ops = false, layers = false, chunks = false;
};

// Of --phase train; what is not given has the defaults of cli/training_report.h.
struct TrainingOptions {
  std::optional<Recompute> recompute;
  std::optional<ZeroStage> zero;
  bool sequence_parallel = false, parallel_loss = false;
  std::optional<int> data_parallel, pipeline, virtual_stages;
  std::optional<std::int64_t> micro_batches;
  std::optional<DType> gradients, optimizer;
  bool operator==(const TrainingOptions&) const = default;
};

// The values that a sweep takes for one flag, as written ("1,2,4", "h100-sxm"), in order of the flags.
struct GivenAxis {
  std::string flag;
  std::string values;
};

struct Options {
  // Input
  std::optional<std::string> model;
  std::optional<std::string> plan;
  std::vector<std::string> plans;  // every --plan given
  std::vector<std::string> set;
  bool base_plan = false;
  Dialect dialect = kNewestDialect;
  int ep = 1;
  std::optional<std::string> ep_plan;
  bool kv_replicate = false;
  std::optional<std::string> strategy_file;
  std::optional<std::string> hardware;
  std::optional<int> gpus;
  std::optional<int> nodes;
  std::optional<TpChoice> tp;
  std::optional<std::string> link;
  std::optional<std::string> profile;  // calibration file
  std::optional<std::string> stack;
  std::optional<std::int64_t> max_header;

  // Workload
  Phase phase = Phase::both;
  std::optional<std::int64_t> batch, prompt, context, generate, chunk;
  std::optional<DType> dtype, kv_dtype;
  TrainingOptions training;

  // Of single commands
  bool chart = false;
  bool fix = false, strict = false, shipped = false, require_fit = false, python = false;
  std::optional<std::string> from, to, shape, mesh;
  std::vector<std::string> fail_if;

  // Of exports
  std::optional<ExportKind> export_as;

  // Of sweeps
  std::vector<GivenAxis> axes;
  bool resume = false;
  bool stdio = false;
  bool settings = false;
  std::optional<int> jobs;

  // Of runs
  std::optional<std::string> input, gradients, backend, comm;
  std::optional<std::int64_t> seed;
  std::optional<int> ranks;
  bool float64 = false;
  std::optional<std::int64_t> threads;  // of each rank that is executed
  std::optional<int> iterations, warmup;

  // Of measurements
  std::optional<std::string> result;
  double tolerance = 0.15;
  bool here = false;

  // Of the visualizer
  std::optional<std::string> snapshot, window_size, theme, workspace, panel, select, script, dump_ui, font;
  std::optional<double> font_scale;
  std::optional<std::int64_t> frames;
  bool bench = false, no_state = false;

  // Output
  std::optional<Format> format;
  Details details;
  bool fields_given = false;
  std::vector<std::string> fields;
  std::optional<std::string> output;
  Units units = Units::iec;
  std::optional<std::string> sort;
  bool no_header = false;
  std::optional<int> width;
  ColorMode color = ColorMode::automatic;
  bool ascii = false, quiet = false, exit_zero = false;
  int verbosity = 0;

  // Help
  bool short_help = false, long_help = false, version = false;

  // What stands in place of a file, by flag: {"model", "{...}"}. Only requests to `tpsim serve` have such.
  std::map<std::string, std::string> texts;

  std::vector<std::string> operands;   // after the command's name
  std::vector<std::string> arguments;  // all of them as given
};

}  // namespace tpsim::cli
