#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/flags.h"
#include "cli/inputs.h"
#include "cli/text.h"
#include "core/strategy.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

const char* to_string(StrategyLayout layout) {
  switch (layout) {
    case StrategyLayout::any: return "any";
    case StrategyLayout::replicate: return "replicate";
    case StrategyLayout::shard_last: return "shard(-1)";
    case StrategyLayout::partial: return "partial";
  }
  return "";
}

std::string cut_text(const CustomStrategy& s) {
  if (!s.weight_dim) return "full copy";
  return "weight dim " + std::to_string(*s.weight_dim) + (s.blocks > 1 ? ", " + plural(s.blocks, "block") : "");
}

std::string summary(const CustomStrategy& s) {
  std::string text = "yours: " + cut_text(s) + ", " + to_string(s.input) + " -> " + to_string(s.output);
  if (s.forward) text += std::string(", ") + to_string(*s.forward) + " of the output";
  if (s.backward_input) text += std::string(", backward ") + to_string(*s.backward_input);
  return text;
}

Row row_of(std::string_view name, bool accepted, std::string_view same, std::string_view dialects, bool extension,
           std::string_view text) {
  Row row;
  row.cells = {cell(std::string(name)),
               {accepted, accepted ? "yes" : "no", Style::plain},
               same.empty() ? no_value() : cell(std::string(same)),
               cell(std::string(dialects)),
               {extension, extension ? "tpsim" : "transformers", Style::plain},
               cell(std::string(text))};
  return row;
}

Table strategy_table(const Dialect& dialect, const StrategySet& custom) {
  Table table;
  table.columns = {{"name", "strategy", false, 0},
                   {"accepted", "in " + std::to_string(dialect.major) + "." + std::to_string(dialect.minor), false, 0},
                   {"equivalent", "same as", false, 120},
                   {"dialects", "releases", false, 120},
                   {"extension", "of", false, 140},
                   {"summary", "meaning", false, 0, {}, true}};
  for (const auto& info : strategy_catalogue()) {
    const bool accepted = find_strategy(info.name, dialect).has_value();
    const auto same = accepted ? std::nullopt : equivalent_name(info.name, dialect);
    table.rows.push_back(row_of(info.name, accepted, same.value_or(""), info.dialects, info.extension, info.summary));
  }
  for (const auto& s : custom) table.rows.push_back(row_of(s.name, true, "", "all", true, summary(s)));
  return table;
}

void write_json(JsonWriter& json, const Dialect& dialect, const Table& table) {
  json.begin_object();
  json.member("schema", "tpsim.strategies/1");
  json.member("dialect", to_string(dialect));
  json.key("strategies");
  write_rows(table, json);
  json.end_object();
}

Document strategy_document(const Dialect& dialect, Table table) {
  Document document;
  document.title = "Strategies, " + to_string(dialect);
  document.table = std::move(table);
  document.json = [rows = document.table, dialect](JsonWriter& json) { write_json(json, dialect, rows); };
  return document;
}

Error unknown_strategy(const std::string& name, const Table& table) {
  std::vector<std::string> names;
  for (const Row& row : table.rows) names.push_back(row.cells[0].text);
  Error error = usage_error("no strategy \"" + name + "\"");
  const auto near = nearest(name, names);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"tpsim strategies list"};
  return error;
}

Result<int> run_list(Context& context) {
  const auto custom = load_strategies(context.options);
  if (!custom) return custom.error();
  const Dialect& dialect = context.options.dialect;
  if (auto emitted = emit(context, strategy_document(dialect, strategy_table(dialect, *custom))); !emitted) {
    return emitted.error();
  }
  return kExitYes;
}

Result<int> run_show(Context& context) {
  const auto custom = load_strategies(context.options);
  if (!custom) return custom.error();
  const Dialect& dialect = context.options.dialect;
  Table table = strategy_table(dialect, *custom);
  const std::string& name = context.options.operands.front();
  const auto it =
      std::find_if(table.rows.begin(), table.rows.end(), [&](const Row& r) { return r.cells[0].text == name; });
  if (it == table.rows.end()) return unknown_strategy(name, table);
  table.rows = {*it};
  for (Column& column : table.columns) column.hide_below = 0;
  context.terminal.width = std::min(context.terminal.width, 79);
  table.blocks_when_narrow = true;
  if (auto emitted = emit(context, strategy_document(dialect, std::move(table))); !emitted) return emitted.error();
  return kExitYes;
}

}  // namespace

Command strategies_list_command() {
  Command command;
  command.name = "strategies list";
  command.summary = "strategies of all releases, and which the dialect accepts";
  command.flags = kDialectFlags | kTableFlags;
  command.examples = {{"tpsim strategies list --dialect transformers-5.1", ""}};
  command.run = run_list;
  return command;
}

Command strategies_show_command() {
  Command command;
  command.name = "strategies show";
  command.summary = "one strategy";
  command.operands = "NAME";
  command.min_operands = command.max_operands = 1;
  command.flags = kDialectFlags | kTableFlags;
  command.examples = {{"tpsim strategies show colwise_rep", ""}};
  command.run = run_show;
  return command;
}

}  // namespace tpsim::cli
