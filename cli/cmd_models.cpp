#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/valid_text.h"
#include "core/architecture.h"

namespace tpsim::cli {
namespace {

Result<int> run_list(Context& context) {
  Document document;
  document.title = "Models";
  document.table.columns = {
      {"id", "id", false, 0}, {"model_type", "model_type", false, 0}, {"source", "source", false, 100, {}, true}};
  for (const auto& known : known_configs()) {
    document.table.rows.push_back({{cell(known.id), cell(known.model_type), cell(known.source)}, {}});
  }
  const auto types = described_model_types();
  for (const auto& line : wrapped("described model types (any config.json of these): " + joined(types, " "),
                                  static_cast<std::size_t>(context.terminal.width))) {
    document.notes.push_back(line);
  }
  document.json = [table = document.table, types](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.models/1");
    json.key("models");
    write_rows(table, json);
    json.array("model_types", types);
    json.end_object();
  };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

constexpr int kValidLimit = 16;

// Under the plan that the release applies of itself.
ValidSizes shipped_sizes(const Model& model, const Options& options) {
  AnalysisRequest request;
  request.dialect = options.dialect;
  return valid_sizes(model, request, kValidLimit);
}

std::vector<std::string> heading(const ModelInput& input, std::int64_t parameters, const ValidSizes& sizes) {
  const Model& m = input.model;
  std::vector<std::string> lines = {input.source.id + "  " + m.class_name + ", " + grouped(parameters) + " parameters",
                                    "config       " + input.source.origin, "description  " + m.source,
                                    "sizes        " + plural(m.layers, "layer") + ", hidden " +
                                        std::to_string(m.hidden_size) + ", " + std::to_string(m.query_heads) + " q / " +
                                        std::to_string(m.kv_heads) + " kv heads of " + std::to_string(m.head_dim) +
                                        ", vocabulary " + std::to_string(m.vocab_size)};
  if (m.experts > 0) {
    lines.push_back("experts      " + std::to_string(m.experts) + ", " + std::to_string(m.experts_per_token) +
                    " per token");
  }
  if (m.has_forward) lines.push_back("valid TP     " + sizes_text(sizes, kValidLimit));
  if (const auto pairs = pairs_text(sizes); !pairs.empty()) lines.push_back("             " + pairs);
  for (const auto& [name, owner] : m.ties) lines.push_back("tied         " + name + " = " + owner);
  for (const auto& part : m.unknown_parts) lines.push_back("not covered  " + part);
  return lines;
}

Table parameter_table(const Model& model) {
  Table table;
  table.columns = {{"parameter", "parameter", false, 0},
                   {"shape", "shape", true, 0},
                   {"count", "count", true, 0},
                   {"elements", "elements", true, 0}};
  for (const auto& group : parameter_groups(model)) {
    const std::int64_t elements = group.shape.numel() * group.count;
    table.rows.push_back(
        {{cell(group.pattern), cell(to_string(group.shape)), cell(group.count), cell(elements, grouped(elements))},
         {}});
  }
  return table;
}

void write_json(JsonWriter& json, const ModelInput& input, const Table& table, std::int64_t parameters,
                const ValidSizes& sizes) {
  json.begin_object();
  json.member("schema", "tpsim.model/1");
  json.member("id", input.source.id);
  json.member("source", input.source.origin);
  write_model_figures(json, input.model, parameters);
  write_valid_sizes(json, sizes);
  json.key("parameters");
  write_rows(table, json);
  json.end_object();
}

Result<int> run_show(Context& context) {
  Options options = context.options;
  options.model = options.operands.front();
  const auto input = load_model(options);
  if (!input) return input.error();
  const std::int64_t parameters = parameter_count(input->model);
  Document document;
  document.title = input->source.id;
  const ValidSizes sizes = shipped_sizes(input->model, options);
  document.heading = heading(*input, parameters, sizes);
  document.table = parameter_table(input->model);
  document.json = [&, table = document.table](JsonWriter& json) { write_json(json, *input, table, parameters, sizes); };
  if (auto emitted = emit(context, std::move(document)); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command models_list_command() {
  Command command;
  command.name = "models list";
  command.summary = "built-in configurations and described model types";
  command.flags = kTableFlags;
  command.run = run_list;
  return command;
}

Command models_show_command() {
  Command command;
  command.name = "models show";
  command.summary = "one model: sizes and every parameter";
  command.operands = "MODEL";
  command.min_operands = command.max_operands = 1;
  command.flags = kTableFlags | kDialectFlags | kConfigFlags;
  command.examples = {{"tpsim models show llama-3.1-8b", ""}, {"tpsim models show path/to/config.json", ""}};
  command.run = run_show;
  return command;
}

}  // namespace tpsim::cli
