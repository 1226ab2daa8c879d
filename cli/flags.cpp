#include "cli/flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cli/fail_if.h"
#include "cli/values.h"
#include "core/analyze.h"

namespace tpsim::cli {
namespace {

using Text = std::string_view;

template <class Enum, std::size_t N>
Result<void> apply_choice(Enum& target, Text value, const std::array<std::pair<Text, Enum>, N>& choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (name == value) {
      target = choice;
      return {};
    }
    names += names.empty() ? "" : ", ";
    names += name;
  }
  return usage_error("\"" + std::string(value) + "\" is not one of " + names);
}

template <auto Member>
Result<void> set_true(Options& options, Text) {
  options.*Member = true;
  return {};
}

template <auto Member>
Result<void> set_text(Options& options, Text value) {
  if (value.empty()) return usage_error("the value is empty");
  options.*Member = std::string(value);
  return {};
}

template <auto Member, std::int64_t Low, std::int64_t High>
Result<void> set_number(Options& options, Text value) {
  const auto n = parse_number(value, Low, High);
  if (!n) return n.error();
  if constexpr (std::is_same_v<std::decay_t<decltype(options.*Member)>, std::optional<std::int64_t>>) {
    options.*Member = *n;
  } else {
    options.*Member = static_cast<int>(*n);
  }
  return {};
}

template <auto Member>
Result<void> set_dtype(Options& options, Text value) {
  options.*Member = parse_dtype(value);
  if (options.*Member && *(options.*Member) != DType::int64) return {};
  return usage_error("\"" + std::string(value) + "\" is not one of fp32, fp16, bf16, fp8, int8, int4, mxfp4");
}

Result<void> set_dialect(Options& options, Text value) {
  const auto dialect = parse_dialect(value);
  if (!dialect) return dialect.error();
  options.dialect = *dialect;
  return {};
}

Result<void> set_tp(Options& options, Text value) {
  const auto choice = parse_tp(value);
  if (!choice) return choice.error();
  options.tp = *choice;
  return {};
}

Result<void> add_setting(Options& options, Text value) {
  if (value.find('=') == Text::npos || value.starts_with('=')) {
    return usage_error("\"" + std::string(value) + "\" is not of the form field=value");
  }
  options.set.emplace_back(value);
  return {};
}

Result<void> add_plan(Options& options, Text value) {
  auto set = set_text<&Options::plan>(options, value);
  if (set) options.plans.emplace_back(value);
  return set;
}

Result<void> add_fail_if(Options& options, Text value) {
  const auto condition = parse_fail_if(value);
  if (!condition) return condition.error();
  options.fail_if.emplace_back(value);
  return {};
}

Result<void> set_phase(Options& options, Text value) {
  return apply_choice(
      options.phase, value,
      std::array<std::pair<Text, Phase>, 4>{
          {{"prefill", Phase::prefill}, {"decode", Phase::decode}, {"both", Phase::both}, {"train", Phase::train}}});
}

constexpr std::array<std::pair<Text, ExportKind>, 4> kExportKinds = {
    {{"report", ExportKind::report},
     {"python", ExportKind::python},
     {"distributed-config", ExportKind::distributed_config},
     {"parallelize-module", ExportKind::parallelize_module}}};

Result<void> set_export(Options& options, Text value) {
  ExportKind kind = ExportKind::report;
  const auto done = apply_choice(kind, value, kExportKinds);
  if (done) options.export_as = kind;
  return done;
}

Result<void> set_recompute(Options& options, Text value) {
  Recompute recompute = Recompute::none;
  const auto done =
      apply_choice(recompute, value,
                   std::array<std::pair<Text, Recompute>, 3>{
                       {{"none", Recompute::none}, {"selective", Recompute::selective}, {"full", Recompute::full}}});
  if (done) options.training.recompute = recompute;
  return done;
}

Result<void> set_zero(Options& options, Text value) {
  ZeroStage zero = ZeroStage::none;
  const auto done = apply_choice(zero, value,
                                 std::array<std::pair<Text, ZeroStage>, 4>{{{"0", ZeroStage::none},
                                                                            {"1", ZeroStage::optimizer},
                                                                            {"2", ZeroStage::gradients},
                                                                            {"3", ZeroStage::weights}}});
  if (done) options.training.zero = zero;
  return done;
}

template <auto Member>
Result<void> set_training(Options& options, Text) {
  options.training.*Member = true;
  return {};
}

template <auto Member, std::int64_t High>
Result<void> set_training_number(Options& options, Text value) {
  const auto n = parse_number(value, 1, High);
  if (!n) return n.error();
  options.training.*Member = static_cast<typename std::decay_t<decltype(options.training.*Member)>::value_type>(*n);
  return {};
}

template <auto Member>
Result<void> set_state_dtype(Options& options, Text value) {
  const auto type = parse_dtype(value);
  if (!type || is_quantised(*type) || *type == DType::int64)
    return usage_error("\"" + std::string(value) + "\" is not one of fp32, fp16, bf16");
  options.training.*Member = *type;
  return {};
}

Result<void> set_format(Options& options, Text value) {
  Format format = Format::table;
  const auto done = apply_choice(format, value,
                                 std::array<std::pair<Text, Format>, 9>{{{"table", Format::table},
                                                                         {"plain", Format::plain},
                                                                         {"json", Format::json},
                                                                         {"ndjson", Format::ndjson},
                                                                         {"csv", Format::csv},
                                                                         {"md", Format::markdown},
                                                                         {"html", Format::html},
                                                                         {"github", Format::github},
                                                                         {"sarif", Format::sarif}}});
  if (done) options.format = format;
  return done;
}

Result<void> set_json(Options& options, Text) {
  options.format = Format::json;
  return {};
}

Result<void> set_units(Options& options, Text value) {
  return apply_choice(
      options.units, value,
      std::array<std::pair<Text, Units>, 3>{{{"iec", Units::iec}, {"si", Units::si}, {"bytes", Units::bytes}}});
}

Result<void> set_color(Options& options, Text value) {
  return apply_choice(
      options.color, value,
      std::array<std::pair<Text, ColorMode>, 3>{
          {{"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}}});
}

Result<void> set_fields(Options& options, Text value) {
  options.fields_given = true;
  options.fields = split_list(value);
  return {};
}

Result<void> set_detail(Options& options, Text value) {
  for (const auto& part : split_list(value)) {
    const bool all = part == "all";
    if (!all && part != "shards" && part != "events" && part != "ops" && part != "layers" && part != "chunks") {
      return usage_error("\"" + part + "\" is not one of shards, events, ops, layers, chunks, all");
    }
    options.details.shards |= all || part == "shards";
    options.details.events |= all || part == "events";
    options.details.ops |= all || part == "ops";
    options.details.layers |= all || part == "layers";
    options.details.chunks |= all || part == "chunks";
  }
  return {};
}

Result<void> set_factor(Options& options, Text value) {
  double factor = 0;
  const auto [rest, status] = std::from_chars(value.data(), value.data() + value.size(), factor);
  const bool whole = status == std::errc() && rest == value.data() + value.size();
  if (!whole || !(factor >= 0.75 && factor <= 2.5)) return usage_error("give a factor from 0.75 to 2.5");
  options.font_scale = factor;
  return {};
}

Result<void> set_tolerance(Options& options, Text value) {
  if (value.ends_with('%')) value.remove_suffix(1);
  double percent = 0;
  const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), percent);
  if (status != std::errc() || end != value.data() + value.size() || !(percent > 0) || percent > 1e6)
    return usage_error("\"" + std::string(value) + "\" is not a percentage above 0");
  options.tolerance = percent / 100;
  return {};
}

Result<void> raise_verbosity(Options& options, Text) {
  ++options.verbosity;
  return {};
}

constexpr std::int64_t kMaxTokens = 256LL << 20;
constexpr std::int64_t kMaxBatch = 1LL << 20;
constexpr auto kIn = FlagGroup::input;
constexpr auto kWork = FlagGroup::workload;
constexpr auto kAct = FlagGroup::action;
constexpr auto kOut = FlagGroup::output;

constexpr std::array kFlags = {
    Flag{"model", 'm', "MODEL", kIn, kModelFlags,
         "built-in id, config.json, model folder, *.safetensors, or - for standard input", set_text<&Options::model>},
    Flag{"plan", 'p', "PLAN", kIn, kPlanFlags,
         "auto (default), none, builtin:TYPE, FILE.json, FILE.py, or - for standard input", add_plan},
    Flag{"set", 0, "FIELD=VALUE", kIn, kModelFlags | kConfigFlags, "override a field of the config; repeatable",
         add_setting},
    Flag{"base-plan", 0, "", kIn, kPlanFlags,
         "read the plan as a config class's base_model_tp_plan: keys relative to the base model",
         set_true<&Options::base_plan>},
    Flag{"dialect", 0, "VERSION", kIn, kDialectFlags,
         "transformers-4.47 .. transformers-5.23, or latest (default: transformers-5.23)", set_dialect},
    Flag{"strategy-file", 0, "FILE", kIn, kDialectFlags, "strategies of your own, described as JSON",
         set_text<&Options::strategy_file>},
    Flag{"tp", 0, "SIZES", kIn, kSizeFlags, "tensor-parallel sizes: 4   1,2,4,8   1..16   valid", set_tp},
    Flag{"ep", 0, "N", kIn, kSizeFlags, "expert-parallel ranks (default: 1)", set_number<&Options::ep, 1, kMaxRanks>},
    Flag{"ep-plan", 0, "FILE", kIn, kPlanFlags, "expert-parallel plan in place of the shipped one",
         set_text<&Options::ep_plan>},
    Flag{"kv-replicate", 0, "", kIn, kPlanFlags, "repeat kv heads so that every rank has one (tpsim extension)",
         set_true<&Options::kv_replicate>},
    Flag{"hw", 0, "NAME", kIn, kHardwareFlags, "hardware of the catalogue or a JSON file (default: h100-sxm)",
         set_text<&Options::hardware>},
    Flag{"gpus", 0, "N", kIn, kHardwareFlags, "devices at hand (default: one node)",
         set_number<&Options::gpus, 1, kMaxRanks>},
    Flag{"nodes", 0, "N", kIn, kHardwareFlags, "nodes that they are spread over (default: as few as hold them)",
         set_number<&Options::nodes, 1, kMaxRanks>},
    Flag{"link", 0, "NAME|GBPS", kIn, kHardwareFlags,
         "links inside a node: a name of the catalogue, or GB/s per direction", set_text<&Options::link>},
    Flag{"input", 0, "FILE", kIn, kRunFlags,
         "safetensors with input_ids and, to compare with, logits (default: ids from the seed)",
         set_text<&Options::input>},
    Flag{"gradients", 0, "FILE", kIn, kRunFlags,
         "with --phase train: safetensors with the unsharded model's real gradients, by parameter, to compare with",
         set_text<&Options::gradients>},
    Flag{"seed", 0, "N", kIn, kRunFlags, "of the weights where the model has none on disk, and of the ids (default: 0)",
         set_number<&Options::seed, 0, std::int64_t{1} << 62>},
    Flag{"backend", 0, "NAME", kIn, kRunFlags, "what computes: cpu (default)", set_text<&Options::backend>},
    Flag{"comm", 0, "NAME", kIn, kRunFlags, "what the ranks are: threads (default), mpi (processes)",
         set_text<&Options::comm>},
    Flag{"ranks", 'n', "N", kIn, kRunFlags, "number of ranks (default: --tp, or as many as mpirun has started)",
         set_number<&Options::ranks, 1, kMaxRanks>},
    Flag{"threads", 0, "N", kIn, kRunFlags, "threads of each rank (default: the cores, shared among the ranks)",
         set_number<&Options::threads, 1, 1024>},
    Flag{"float64", 0, "", kIn, kRunFlags, "compute in double precision", set_true<&Options::float64>},
    Flag{"iters", 0, "N", kAct, kRunFlags,
         "measure N times after the comparison: the prompt, and a step of decoding (run: none, validate: 20)",
         set_number<&Options::iterations, 1, 10'000>},
    Flag{"warmup", 0, "N", kAct, kRunFlags, "passes before those that are measured (default: 3)",
         set_number<&Options::warmup, 0, 10'000>},
    Flag{"here", 0, "", kAct, kCalibrateFlags, "measure this machine with the kernels of tpsim run: about a minute",
         set_true<&Options::here>},
    Flag{"result", 0, "FILE", kIn, kValidateFlags | kTraceFlags, "what tpsim run --iters N -o FILE.json has written",
         set_text<&Options::result>},
    Flag{"tolerance", 0, "PERCENT", kAct, kValidateFlags,
         "largest error of the time of a pass before the exit code is 5 (default: 15)", set_tolerance},
    Flag{"profile", 0, "FILE", kIn, kHardwareFlags, "calibration in place of the built-in one (from tpsim calibrate)",
         set_text<&Options::profile>},
    Flag{
        "stack", 0, "NAME", kIn, kStackFlags,
        "serving stack whose host time is added: vllm, sglang, tensorrt-llm, transformers ... (default: forward, none)",
        set_text<&Options::stack>},
    Flag{"max-header", 0, "BYTES", kIn, kModelFlags | kConfigFlags,
         "largest safetensors header to read (default: 100M)",
         set_number<&Options::max_header, 8, std::int64_t{1} << 32>},

    Flag{"phase", 0, "PHASE", kWork, kWorkloadFlags | kRunFlags, "prefill, decode, both (default) or train", set_phase},
    Flag{"batch", 'b', "N", kWork, kWorkloadFlags | kRunFlags, "sequences at a time (default: 8)",
         set_number<&Options::batch, 1, kMaxBatch>},
    Flag{"prompt", 0, "N", kWork, kWorkloadFlags | kRunFlags, "prompt tokens of each sequence (default: 2048)",
         set_number<&Options::prompt, 1, kMaxTokens>},
    Flag{"ctx", 0, "N", kWork, kWorkloadFlags, "cached tokens of each sequence while decoding (default: 4096)",
         set_number<&Options::context, 1, kMaxTokens>},
    Flag{"gen", 0, "N", kWork, kWorkloadFlags | kRunFlags, "tokens to generate: --ctx becomes prompt + N",
         set_number<&Options::generate, 1, kMaxTokens>},
    Flag{"chunk", 0, "N", kWork, kWorkloadFlags,
         "prefill in passes of N tokens of each sequence (default: the whole prompt in one)",
         set_number<&Options::chunk, 1, kMaxTokens>},
    Flag{"dtype", 0, "TYPE", kWork, kDtypeFlags, "of the weights (default: the config's, else bf16)",
         set_dtype<&Options::dtype>},
    Flag{"kv-dtype", 0, "TYPE", kWork, kWorkloadFlags, "of the KV cache (default: that of the activations)",
         set_dtype<&Options::kv_dtype>},
    Flag{"micro-batches", 0, "N", kWork, kTrainingFlags,
         "train: micro-batches of a step, each of --batch sequences (default: one per pipeline stage)",
         set_training_number<&TrainingOptions::micro_batches, kMaxBatch>},
    Flag{"recompute", 0, "WHAT", kWork, kTrainingFlags,
         "train: none (default), selective (attention's core) or full (all but the layers' inputs)", set_recompute},
    Flag{"sequence-parallel", 0, "", kWork, kTrainingFlags,
         "train: cut the sequence between the blocks (Megatron's; tpsim extension)",
         set_training<&TrainingOptions::sequence_parallel>},
    Flag{"parallel-loss", 0, "", kWork, kTrainingFlags,
         "train: leave the logits cut over the vocabulary; the loss works on the pieces",
         set_training<&TrainingOptions::parallel_loss>},
    Flag{"dp", 0, "N", kWork, kTrainingFlags, "train: data-parallel replicas (default: 1)",
         set_training_number<&TrainingOptions::data_parallel, kMaxRanks>},
    Flag{"pp", 0, "N", kWork, kTrainingFlags, "train: pipeline stages (default: 1)",
         set_training_number<&TrainingOptions::pipeline, kMaxRanks>},
    Flag{"virtual-stages", 0, "N", kWork, kTrainingFlags, "train: chunks of layers per pipeline stage (default: 1)",
         set_training_number<&TrainingOptions::virtual_stages, kMaxRanks>},
    Flag{"zero", 0, "STAGE", kWork, kTrainingFlags,
         "train: replicas share out 1 = optimizer states, 2 = gradients too, 3 = weights too (default: 0)", set_zero},
    Flag{"grad-dtype", 0, "TYPE", kWork, kTrainingFlags, "train: type in which gradients are summed (default: fp32)",
         set_state_dtype<&TrainingOptions::gradients>},
    Flag{"optimizer-dtype", 0, "TYPE", kWork, kTrainingFlags, "train: type of Adam's two moments (default: fp32)",
         set_state_dtype<&TrainingOptions::optimizer>},

    Flag{"detail", 0, "PARTS", kAct, kReportFlags,
         "large parts of the JSON document: shards,events,ops,layers,chunks or all", set_detail},
    Flag{"chart", 0, "", kAct, kReportFlags, "draw speed-up over TP sizes; with -o FILE.svg as a picture",
         set_true<&Options::chart>},
    Flag{"require-fit", 0, "", kAct, kReportFlags, "exit 1 unless every size is right and fits",
         set_true<&Options::require_fit>},
    Flag{"fix", 0, "", kAct, kCheckFlags,
         "apply the proposed edits and write the plan (with -o, else to standard output)", set_true<&Options::fix>},
    Flag{"strict", 0, "", kAct, kCheckFlags, "exit 1 on warnings, too", set_true<&Options::strict>},
    Flag{"shipped", 0, "", kAct, kCheckFlags, "instead of one plan: every plan that the release ships",
         set_true<&Options::shipped>},
    Flag{"fail-if", 0, "CONDITION", kAct, kCompareFlags,
         "exit 1 where it holds: 'decode>+5%', 'memory>80GiB'; repeatable", add_fail_if},
    Flag{"shape", 0, "SHAPE", kAct, kRedistributeFlags, "global shape of the tensor: 8192x28672",
         set_text<&Options::shape>},
    Flag{"mesh", 0, "MESH", kAct, kRedistributeFlags, "devices per mesh dimension: 4, 2x4", set_text<&Options::mesh>},
    Flag{"from", 0, "PLACEMENTS", kAct, kRedistributeFlags, "one placement per mesh dimension: 'Shard(0),Replicate'",
         set_text<&Options::from>},
    Flag{"to", 0, "TARGET", kAct, kRedistributeFlags | kConvertFlags,
         "redistribute: placements wanted; plan convert: dialect wanted", set_text<&Options::to>},
    Flag{"resume", 0, "", kAct, kSweepFlags, "go on after the last whole row of an interrupted sweep's -o FILE",
         set_true<&Options::resume>},
    Flag{"jobs", 0, "N", kAct, kSweepFlags, "threads (default: as many as there are cores)",
         set_number<&Options::jobs, 1, 1024>},
    Flag{"settings", 0, "", kAct, kDoctorFlags, "defaults of your own instead, and where each comes from",
         set_true<&Options::settings>},
    Flag{"stdio", 0, "", kAct, kServeFlags, "requests on standard input, answers on standard output",
         set_true<&Options::stdio>},
    Flag{"as", 0, "KIND", kAct, kExportFlags,
         "report (default), python (a dictionary), distributed-config (Transformers) or parallelize-module (torch)",
         set_export},
    Flag{"python", 0, "", kAct, kPlanOutputFlags, "write the plan as a Python dictionary", set_true<&Options::python>},

    Flag{"snapshot", 0, "FILE", kAct, kGuiFlags, "draw into a PNG file instead of a window; needs no display",
         set_text<&Options::snapshot>},
    Flag{"size", 0, "WxH", kAct, kGuiFlags, "of the window or picture in pixels (default: 1600x900)",
         set_text<&Options::window_size>},
    Flag{"font-scale", 0, "FACTOR", kAct, kGuiFlags, "0.75 to 2.5; everything is scaled with it (default: 1)",
         set_factor},
    Flag{"font", 0, "FILE", kAct, kGuiFlags, "TrueType file, or builtin for the bitmap font (default: a system font)",
         set_text<&Options::font>},
    Flag{"theme", 0, "NAME", kAct, kGuiFlags, "dark (default) or light", set_text<&Options::theme>},
    Flag{"workspace", 0, "NAME", kAct, kGuiFlags, "plan (default), compare, timeline, sweep or validate",
         set_text<&Options::workspace>},
    Flag{"panel", 0, "NAME", kAct, kGuiFlags, "one panel over the whole picture: setup, graph, memory, ...",
         set_text<&Options::panel>},
    Flag{"select", 0, "MODULE", kAct, kGuiFlags, "module that is selected: mlp.gate_proj", set_text<&Options::select>},
    Flag{"script", 0, "FILE", kAct, kGuiFlags, "JSON list of steps: click, type, key, drag, drop, wait, expect, shot",
         set_text<&Options::script>},
    Flag{"dump-ui", 0, "FILE", kAct, kGuiFlags, "write every control of the last frame as JSON",
         set_text<&Options::dump_ui>},
    Flag{"frames", 0, "N", kAct, kGuiFlags, "frames to draw without a window (default: until nothing changes)",
         set_number<&Options::frames, 1, 1000000>},
    Flag{"bench", 0, "", kAct, kGuiFlags, "print times of frames and edits", set_true<&Options::bench>},
    Flag{"no-state", 0, "", kAct, kGuiFlags, "read and write no files of settings", set_true<&Options::no_state>},

    Flag{"format", 0, "FORMAT", kOut, kEverywhere,
         "table (default), plain, json, ndjson, csv, md, html; of check: github, sarif", set_format},
    Flag{"json", 0, "", kOut, kEverywhere, "the same as --format json", set_json},
    Flag{"output", 'o', "FILE", kOut, kEverywhere, "write to FILE, whole or not at all; its extension sets the format",
         set_text<&Options::output>},
    Flag{"fields", 0, "A,B", kOut, kTableFlags | kSweepFlags, "only these fields; an empty list shows the names",
         set_fields},
    Flag{"sort", 0, "FIELD", kOut, kTableFlags, "order of the rows; -FIELD for descending", set_text<&Options::sort>},
    Flag{"no-header", 0, "", kOut, kTableFlags | kSweepFlags, "no header lines", set_true<&Options::no_header>},
    Flag{"units", 0, "UNITS", kOut, kTableFlags, "of bytes: iec (default: KiB, GiB), si (kB, GB) or bytes", set_units},
    Flag{"width", 0, "N", kOut, kEverywhere, "columns to use (default: the terminal's, else 100)",
         set_number<&Options::width, 20, 1000>},
    Flag{"color", 0, "WHEN", kOut, kEverywhere, "auto (default), always or never", set_color},
    Flag{"ascii", 0, "", kOut, kEverywhere, "no characters beyond ASCII", set_true<&Options::ascii>},
    Flag{"quiet", 'q', "", kOut, kEverywhere, "only data and errors", set_true<&Options::quiet>},
    Flag{"verbose", 'v', "", kOut, kEverywhere, "say what was loaded and matched; -vv: formulas with numbers",
         raise_verbosity},
    Flag{"exit-zero", 0, "", kOut, kEverywhere, "exit 0 where the answer is \"no\"", set_true<&Options::exit_zero>},
    Flag{"help", 'h', "", kOut, kEverywhere, "-h: short help; --help: with examples", set_true<&Options::long_help>},
    Flag{"version", 0, "", kOut, kEverywhere, "print the version", set_true<&Options::version>},
};

}  // namespace

std::span<const Flag> all_flags() { return kFlags; }

const Flag* find_flag(std::string_view name) {
  const auto* const it = std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& f) { return f.name == name; });
  return it == kFlags.end() ? nullptr : it;
}

const Flag* find_flag(char short_name) {
  const auto* const it = std::find_if(kFlags.begin(), kFlags.end(),
                                      [&](const Flag& f) { return f.short_name != 0 && f.short_name == short_name; });
  return it == kFlags.end() ? nullptr : it;
}

const char* to_string(ExportKind kind) {
  for (const auto& [name, value] : kExportKinds)
    if (value == kind) return name.data();
  return "";
}

const char* to_string(FlagGroup group) {
  switch (group) {
    case FlagGroup::input: return "Input";
    case FlagGroup::workload: return "Workload";
    case FlagGroup::action: return "Of this command";
    case FlagGroup::output: return "Output";
  }
  return "";
}

}  // namespace tpsim::cli
