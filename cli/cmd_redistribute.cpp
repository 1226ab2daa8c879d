#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"
#include "core/redistribute.h"
#include "sim/predict.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMaxRankRows = 64;

struct Question {
  Shape shape;
  DeviceMesh mesh;
  std::vector<Placement> from, to;
  DType dtype = DType::bf16;
  Hardware hardware;
};

Error bad_shape(const std::string& text) {
  Error error = usage_error("--shape: \"" + text + "\" is not a shape of up to " + std::to_string(Shape::kMaxRank) +
                            " dimensions");
  error.fixes = {"--shape 8192x28672"};
  return error;
}

Result<std::vector<Placement>> placements(const Question& q, const char* flag, const std::string& text) {
  auto parsed = parse_placements(text);
  if (parsed) parsed = check_placements(q.shape, q.mesh, std::move(*parsed));
  if (parsed) return parsed;
  Error error = parsed.error();
  error.kind = ErrorKind::usage;
  error.message = std::string(flag) + ": " + error.message;
  return error;
}

Result<Question> read_question(const Options& options) {
  Question q;
  const auto shape = parse_shape(*options.shape);
  if (!shape) return bad_shape(*options.shape);
  auto mesh = parse_mesh(*options.mesh);
  if (!mesh) return mesh.error();
  auto hardware = load_hardware_input(options);
  if (!hardware) return hardware.error();
  q.shape = *shape;
  q.mesh = std::move(*mesh);
  q.hardware = std::move(*hardware);
  q.dtype = options.dtype.value_or(DType::bf16);
  auto from = placements(q, "--from", *options.from);
  if (!from) return from.error();
  auto to = placements(q, "--to", *options.to);
  if (!to) return to.error();
  q.from = std::move(*from);
  q.to = std::move(*to);
  return q;
}

// The time of one collective, by the same model as everywhere: an analysis that holds nothing else.
Seconds time_of(const RedistributeStep& step, const Question& q) {
  if (!step.op) return Seconds{};
  CollectiveEvent event;
  event.op = *step.op;
  event.input_shape = step.input;
  event.numel = step.numel;
  event.dtype = q.dtype;
  event.group = step.group;
  event.payload_bytes = step.payload_bytes;
  event.wire_bytes_per_rank = step.wire_bytes_per_rank;
  Analysis analysis;
  analysis.parallelism.tp = step.group;
  analysis.traces.emplace_back();
  analysis.traces.front().forward = {event};
  analysis.traces.front().forward_after = {0};
  analysis.steps = {{0, ""}};
  return predict(analysis, q.hardware).communication;
}

std::string placements_text(const std::vector<Placement>& all) {
  std::vector<std::string> texts;
  for (const Placement& p : all) texts.push_back(to_string(p));
  return "(" + joined(texts, ", ") + ")";
}

std::string ranges_text(const std::vector<std::vector<Range>>& dims) {
  std::vector<std::string> texts;
  for (const auto& ranges : dims) {
    std::vector<std::string> parts;
    for (const Range& r : ranges) parts.push_back(std::to_string(r.begin) + ":" + std::to_string(r.end));
    texts.push_back(parts.empty() ? "none" : joined(parts, "+"));
  }
  return "[" + joined(texts, ", ") + "]";
}

Table step_table(const Redistribution& r, const Question& q, Units units) {
  Table table;
  table.columns = {{"mesh_dim", "mesh dim", true, 0},
                   {"change", "change", false, 0},
                   {"op", "collective", false, 0},
                   {"group", "ranks", true, 80},
                   {"input_shape", "input", true, 80},
                   {"payload_bytes", "payload", true, 100},
                   {"wire_bytes_per_rank", "on wire per rank", true, 0},
                   {"time_us", "time", true, 0}};
  for (const RedistributeStep& step : r.steps) {
    const Seconds time = time_of(step, q);
    Row row;
    row.cells = {cell(std::int64_t{step.mesh_dim}),
                 cell(to_string(step.from) + " -> " + to_string(step.to)),
                 step.op ? cell(std::string(to_string(*step.op))) : Cell{std::monostate(), "local", Style::plain},
                 cell(std::int64_t{step.group}),
                 step.op ? cell(to_string(step.input)) : no_value(),
                 cell(step.payload_bytes, step.op ? bytes_text(step.payload_bytes, units) : "-"),
                 cell(step.wire_bytes_per_rank, bytes_text(step.wire_bytes_per_rank, units)),
                 cell(microseconds(time), 3, step.op ? time_text(time.count()) : "-")};
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table rank_table(const Redistribution& r, const DeviceMesh& mesh) {
  Table table;
  table.columns = {{"rank", "rank", true, 0},     {"coordinate", "on mesh", false, 0},
                   {"before", "before", true, 0}, {"before_ranges", "indices", false, 100},
                   {"after", "after", true, 0},   {"after_ranges", "indices", false, 100}};
  for (std::size_t rank = 0; rank < r.before.size(); ++rank) {
    Row row;
    row.cells = {
        cell(static_cast<std::int64_t>(rank)), cell("(" + joined(mesh.coordinate(static_cast<int>(rank)), ",") + ")"),
        cell(to_string(r.before[rank].shape)), cell(ranges_text(r.before[rank].ranges)),
        cell(to_string(r.after[rank].shape)),  cell(ranges_text(r.after[rank].ranges))};
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> heading_of(const Question& q, const Redistribution& r) {
  return {to_string(q.shape) + " " + to_string(q.dtype) + " on mesh " + to_string(q.mesh) + ": " +
          placements_text(r.from) + " -> " + placements_text(r.to)};
}

void write_json(JsonWriter& json, const Question& q, const Redistribution& r, const Table& steps, const Table& ranks) {
  json.begin_object();
  json.member("schema", "tpsim.redistribute/1");
  json.array("shape", q.shape);
  json.array("mesh", q.mesh.sizes);
  json.member("dtype", to_string(q.dtype));
  json.member("from", placements_text(r.from));
  json.member("to", placements_text(r.to));
  json.member("hardware", q.hardware.name);
  json.key("steps");
  write_rows(steps, json);
  json.key("ranks");
  write_rows(ranks, json);
  json.end_object();
}

void print(Context& context, const Question& q, const Redistribution& r, const Table& steps, Table ranks) {
  const Options& options = context.options;
  if (!options.quiet && !options.no_header) {
    for (const auto& line : heading_of(q, r)) context.out += line + "\n";
    context.out += "\n";
  }
  context.out += steps.rows.empty() ? "nothing to do\n" : to_text(steps, context.terminal, !options.no_header);
  const auto all = static_cast<std::int64_t>(ranks.rows.size());
  if (ranks.rows.size() > kMaxRankRows) ranks.rows.resize(kMaxRankRows);
  context.out += "\n" + to_text(ranks, context.terminal, !options.no_header);
  const auto left = all - static_cast<std::int64_t>(ranks.rows.size());
  if (left > 0) context.err += "... and " + plural(left, "more rank") + " (all of them: --json)\n";
}

Result<int> run(Context& context) {
  const Options& options = context.options;
  const auto question = read_question(options);
  if (!question) return question.error();
  const auto done =
      redistribute(question->shape, question->mesh, question->from, question->to, {DeviceKind::cuda, question->dtype});
  if (!done) {
    if (output_format(options) == Format::json) context.out = error_json(done.error());
    context.err = error_text(done.error(), context.err_terminal);
    return kExitNo;
  }
  const Table steps = step_table(*done, *question, options.units);
  const Table ranks = rank_table(*done, question->mesh);
  if (output_format(options) == Format::table && !options.fields_given && !options.sort) {
    print(context, *question, *done, steps, ranks);
    return kExitYes;
  }
  Document document;
  document.title = heading_of(*question, *done).front();
  document.table = steps;
  document.json = [&](JsonWriter& json) { write_json(json, *question, *done, steps, ranks); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command redistribute_command() {
  Command command;
  command.name = "redistribute";
  command.summary = "from one placement of a tensor to another: local shapes, collectives, bytes, time";
  command.flags = kRedistributeFlags | kHardwareFlags | kDtypeFlags | kTableFlags;
  command.required = {"shape", "mesh", "from", "to"};
  command.in_usage = {"dtype", "hw"};
  command.examples = {
      {"tpsim redistribute --shape 8192x28672 --mesh 2x4 --from 'Shard(0),Replicate' --to 'Replicate,Shard(1)'", ""},
      {"tpsim redistribute --shape 16x4096 --mesh 8 --from Partial --to 'Shard(0)'", "a reduce-scatter"}};
  command.description =
      "The steps and shapes are those of PyTorch's DTensor.redistribute on GPUs. Exit 1 if the transition is "
      "impossible.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
