#include "cli/document.h"

#include <algorithm>

#include "cli/output.h"
#include "cli/text.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

std::vector<std::string> json_paths(const Document& document) {
  std::string text;
  JsonWriter json(text);
  json.record_paths();
  document.json(json);
  return json.paths();
}

Result<void> check_paths(const Document& document, const std::vector<std::string>& fields) {
  const auto paths = json_paths(document);
  for (const auto& field : fields) {
    if (std::find(paths.begin(), paths.end(), field) != paths.end()) continue;
    Error error = usage_error("no field \"" + field + "\" in this document");
    const auto near = nearest(field, paths);
    if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
    error.fixes = {"--json --fields= lists all of them"};
    return error;
  }
  return {};
}

Result<void> emit_json(Context& context, const Document& document) {
  const Options& options = context.options;
  JsonWriter json(context.out);
  if (!options.fields.empty()) {
    if (auto known = check_paths(document, options.fields); !known) return known.error();
    auto kept = options.fields;
    kept.emplace_back("schema");
    json.keep_only(std::move(kept));
  }
  document.json(json);
  return {};
}

void append_lines(std::string& out, const std::vector<std::string>& lines, std::string_view prefix = {}) {
  for (const auto& line : lines) out += std::string(prefix) + line + "\n";
}

// Lines longer than the width go on under `indent`.
void append_wrapped(std::string& out, const std::vector<std::string>& lines, int width, std::size_t indent) {
  const auto columns = static_cast<std::size_t>(width);
  for (const auto& line : lines) {
    if (display_width(line) <= columns) {
      out += line + "\n";
      continue;
    }
    const auto head = line.substr(0, indent);
    std::string before = head;
    for (const auto& part : wrapped(line.substr(head.size()), columns - indent)) {
      out += before + part + "\n";
      before.assign(indent, ' ');
    }
  }
}

constexpr std::size_t kHeadingIndent = 15, kNoteIndent = 2;

void emit_table(Context& context, const Document& document) {
  const Options& options = context.options;
  const bool talk = !options.quiet && !options.no_header;
  std::string& out = context.out;
  const int width = context.terminal.width;
  if (talk) append_wrapped(out, document.heading, width, kHeadingIndent);
  if (talk && !document.heading.empty() && !document.table.rows.empty()) out += "\n";
  out += to_text(document.table, context.terminal, !options.no_header);
  if (!options.quiet && !document.notes.empty()) {
    if (!document.table.rows.empty()) out += "\n";
    append_wrapped(out, document.notes, width, kNoteIndent);
  }
  for (const NamedTable& more : document.more) {
    if (!options.no_header) append_wrapped(out, {"", more.title}, width, kNoteIndent);
    out += to_text(more.table, context.terminal, !options.no_header);
  }
}

void emit_markdown(Context& context, const Document& document) {
  std::string& out = context.out;
  if (!context.options.quiet && !context.options.no_header) {
    out += "# " + document.title + "\n\n";
    if (!document.heading.empty()) {
      out += "```\n";
      append_lines(out, document.heading);
      out += "```\n\n";
    }
  }
  out += to_markdown(document.table);
  if (!context.options.quiet && !document.notes.empty()) {
    out += "\n";
    append_lines(out, document.notes, "- ");
  }
  for (const NamedTable& more : document.more) out += "\n" + more.title + "\n\n" + to_markdown(more.table);
}

}  // namespace

Result<void> emit(Context& context, Document document) {
  const Options& options = context.options;
  const Format format = output_format(options);
  const bool is_json = format == Format::json;
  if (options.fields_given && options.fields.empty()) {
    append_lines(context.out, is_json ? json_paths(document) : field_names(document.table));
    return {};
  }
  if (options.sort) {
    if (auto sorted = sort_rows(document.table, *options.sort); !sorted) return sorted.error();
  }
  if (is_json) return emit_json(context, document);
  if (options.fields_given) {
    if (auto selected = select_fields(document.table, options.fields); !selected) return selected.error();
    document.more.clear();
  }
  switch (format) {
    case Format::table: emit_table(context, document); break;
    case Format::plain: context.out += to_plain(document.table, !options.no_header); break;
    case Format::csv: context.out += to_csv(document.table, !options.no_header); break;
    case Format::ndjson: context.out += to_ndjson(document.table); break;
    case Format::markdown: emit_markdown(context, document); break;
    case Format::html: context.out += to_html(document.table, document.title); break;
    case Format::github:
    case Format::sarif:
      return usage_error("--format github and sarif show the problems of one plan: tpsim check -m MODEL");
    case Format::json: break;
  }
  return {};
}

}  // namespace tpsim::cli
