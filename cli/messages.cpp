#include "cli/messages.h"

#include <algorithm>

#include "cli/json_writer.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

std::string headline(std::string_view severity, std::string_view code, std::string_view message, Style style,
                     const Terminal& terminal) {
  std::string label(severity);
  if (!code.empty()) label += "[" + std::string(code) + "]";
  return styled(label, style, terminal) + ": " + std::string(message) + "\n";
}

void append_fixes(std::string& out, const std::vector<std::string>& fixes) {
  for (std::size_t i = 0; i < fixes.size(); ++i) out += (i == 0 ? "  fix: " : "   or: ") + fixes[i] + "\n";
}

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line && !text.empty(); ++i) text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  return text.substr(0, text.find('\n'));
}

// Extent of what stands at the start of `text`: a quoted string with its quotes, else one character.
std::size_t token_length(std::string_view text) {
  if (text.empty() || (text.front() != '"' && text.front() != '\'')) return 1;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == text.front()) {
      return i + 1;
    }
  }
  return text.size();
}

//    6 |   "model.layers.*.self_attn.q_proj": "colwize",
//      |                                      ^^^^^^^^^
void append_excerpt(std::string& out, std::string_view source, const SourcePosition& position) {
  const auto line = line_of(source, position.line);
  const auto column = static_cast<std::size_t>(std::max(position.column, 1) - 1);
  constexpr std::size_t longest = 120;
  if (line.empty() || column >= line.size() || line.size() > longest) return;
  const std::string number = std::to_string(position.line);
  std::string before(line.substr(0, column));
  for (char& c : before)
    if (c != '\t') c = ' ';
  out += "  " + padded(number, 4, true) + " | " + std::string(line) + "\n";
  out += "  " + std::string(std::max<std::size_t>(number.size(), 4), ' ') + " | " + before +
         std::string(token_length(line.substr(column)), '^') + "\n";
}

std::string position_text(const SourcePosition& position) {
  return position.file + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

void append_place(std::string& out, const Diagnostic& d, std::string_view plan_text) {
  const bool in_source = d.position.line > 0;
  std::string place = in_source ? position_text(d.position) : d.where;
  if (place.empty()) return;
  if (!in_source && !d.rule.empty() && d.rule != d.where) place += "   (" + d.rule + ")";
  if (d.count > 1) place += "   (" + plural(d.count, "place") + ")";
  out += "  --> " + place + "\n";
  if (!in_source) return;
  if (!plan_text.empty()) append_excerpt(out, plan_text, d.position);
  const bool shown = line_of(plan_text, d.position.line).find(d.where) != std::string_view::npos;
  if (!shown) out += "  at " + d.where + "\n";
}

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::error: return Style::red;
    case Severity::warning: return Style::yellow;
    case Severity::note: return Style::cyan;
  }
  return Style::plain;
}

// The lines of a detail keep their own indent under the message's.
void append_details(std::string& out, const std::vector<std::string>& details) {
  for (const auto& detail : details) {
    std::string_view rest = detail;
    do {
      const auto end = std::min(rest.find('\n'), rest.size());
      out += "  " + std::string(rest.substr(0, end)) + "\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    } while (!rest.empty());
  }
}

}  // namespace

std::string error_text(const Error& error, const Terminal& terminal) {
  std::string out = headline(error.kind == ErrorKind::internal ? "internal error" : "error", error.code, error.message,
                             Style::red, terminal);
  if (!error.where.empty()) out += "  --> " + error.where + "\n";
  append_details(out, error.details);
  append_fixes(out, error.fixes);
  return out;
}

std::string error_json(const Error& error) {
  std::string out;
  JsonWriter json(out, 1);
  json.begin_object();
  json.member("schema", "tpsim.error/1");
  json.member("code", error.code);
  json.member("exit", exit_code(error.kind));
  json.member("message", error.message);
  json.key("where");
  json.begin_object();
  if (!error.where.empty()) json.member("place", error.where);
  json.end_object();
  json.array("details", error.details);
  json.array("fixes", error.fixes);
  json.end_object();
  return out;
}

std::string diagnostic_text(const Diagnostic& d, std::string_view plan_text, const Terminal& terminal) {
  std::string out = headline(to_string(d.severity), d.code, d.message, style_of(d.severity), terminal);
  append_place(out, d, plan_text);
  append_details(out, d.details);
  if (d.effect_bytes) out += "  effect: " + bytes_text(*d.effect_bytes, Units::iec) + " more per rank\n";
  std::vector<std::string> fixes;
  for (const Fix& fix : d.fixes) fixes.push_back(fix.title);
  append_fixes(out, fixes);
  return out;
}

std::string diagnostics_text(const std::vector<Diagnostic>& diagnostics, std::string_view plan_text,
                             const Terminal& terminal) {
  std::string out;
  for (std::size_t i = 0; i < diagnostics.size() && i < kMaxPrinted; ++i) {
    if (i > 0) out += "\n";
    out += diagnostic_text(diagnostics[i], plan_text, terminal);
  }
  if (diagnostics.size() > kMaxPrinted) {
    out += "\n... and " + plural(static_cast<std::int64_t>(diagnostics.size() - kMaxPrinted), "more", "more") +
           " (all of them: --json)\n";
  }
  return out;
}

std::string diagnostic_line(const Diagnostic& d, const Terminal& terminal) {
  return headline(to_string(d.severity), d.code, d.message, style_of(d.severity), terminal);
}

std::int64_t count(const std::vector<Diagnostic>& diagnostics, Severity severity) {
  return std::count_if(diagnostics.begin(), diagnostics.end(),
                       [&](const Diagnostic& d) { return d.severity == severity; });
}

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: return "note";
  }
  return "";
}

}  // namespace tpsim::cli
