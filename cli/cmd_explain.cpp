#include <algorithm>

#include "cli/commands.h"
#include "cli/document.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"
#include "core/diagnostic_catalogue.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

void append_section(std::string& out, std::string_view label, std::string_view text, int width) {
  if (text.empty()) return;
  constexpr std::size_t indent = 9;
  const auto room = static_cast<std::size_t>(std::clamp(width, 40, 100)) - indent;
  std::string first(label);
  for (const auto& line : wrapped(text, room)) {
    out += padded(first, indent) + line + "\n";
    first.clear();
  }
}

std::string explanation(const DiagnosticInfo& info, const Terminal& terminal) {
  std::string out = styled(std::string(info.code), Style::bold, terminal) + " (" + to_string(info.severity) +
                    "): " + std::string(info.title) + "\n\n";
  append_section(out, "cause", info.cause, terminal.width);
  append_section(out, "example", info.example, terminal.width);
  append_section(out, "fix", info.fix, terminal.width);
  for (const auto link : info.links) append_section(out, "see", link, terminal.width);
  return out;
}

void write_json(JsonWriter& json, const DiagnosticInfo& info) {
  json.begin_object();
  json.member("schema", "tpsim.explain/1");
  json.member("code", info.code);
  json.member("severity", to_string(info.severity));
  json.member("title", info.title);
  json.member("cause", info.cause);
  json.member("example", info.example);
  json.member("fix", info.fix);
  json.array("links", info.links);
  json.end_object();
}

Document list_document() {
  Document document;
  document.title = "Codes of diagnostics";
  document.table.columns = {
      {"code", "code", false, 0}, {"severity", "severity", false, 0}, {"title", "title", false, 0, {}, true}};
  for (const auto& info : diagnostic_catalogue()) {
    document.table.rows.push_back(
        {{cell(std::string(info.code)), cell(std::string(to_string(info.severity))), cell(std::string(info.title))},
         {}});
  }
  document.json = [table = document.table](JsonWriter& json) {
    json.begin_object();
    json.member("schema", "tpsim.codes/1");
    json.key("codes");
    write_rows(table, json);
    json.end_object();
  };
  return document;
}

Error unknown_code(const std::string& code) {
  std::vector<std::string> codes;
  for (const auto& info : diagnostic_catalogue()) codes.emplace_back(info.code);
  Error error = usage_error("no diagnostic code \"" + code + "\"");
  const auto near = nearest(code, codes);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"tpsim explain   lists all codes"};
  return error;
}

Result<int> run(Context& context) {
  if (context.options.operands.empty()) {
    if (auto emitted = emit(context, list_document()); !emitted) return emitted.error();
    return kExitYes;
  }
  const std::string code = upper(context.options.operands.front());
  const DiagnosticInfo* const info = find_diagnostic(code);
  if (info == nullptr) return unknown_code(code);
  if (output_format(context.options) == Format::json) {
    JsonWriter json(context.out);
    write_json(json, *info);
  } else {
    context.out = explanation(*info, context.terminal);
    context.long_text = true;
  }
  return kExitYes;
}

}  // namespace

Command explain_command() {
  Command command;
  command.name = "explain";
  command.summary = "long text for a diagnostic code: cause, example, fix, links";
  command.operands = "CODE";
  command.max_operands = 1;
  command.examples = {{"tpsim explain TP102", ""}, {"tpsim explain", "all codes"}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
