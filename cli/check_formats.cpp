#include "cli/check_formats.h"

#include <algorithm>
#include <set>

#include "cli/json_writer.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "cli/text_edit.h"
#include "core/diagnostic_catalogue.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

const char* level(Severity severity, const char* note) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: return note;
  }
  return note;
}

// Workflow commands: % and line ends everywhere, ':' and ',' in properties.
std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    if (c == '%')
      out += "%25";
    else if (c == '\r')
      out += "%0D";
    else if (c == '\n')
      out += "%0A";
    else if (property && c == ':')
      out += "%3A";
    else if (property && c == ',')
      out += "%2C";
    else
      out += c;
  }
  return out;
}

std::string full_text(const Problem& problem) {
  const Diagnostic& d = problem.diagnostic;
  std::string text = d.message;
  if (!d.where.empty()) text += "\nat " + d.where;
  for (const std::string& detail : d.details) text += "\n" + detail;
  if (!problem.sizes.empty()) text += "\nat TP " + joined(problem.sizes, " ");
  for (const Fix& fix : d.fixes) text += "\nfix: " + fix.title;
  return text;
}

const std::string& file_of(const Diagnostic& d, const CheckedFile& checked) {
  return d.position.line > 0 ? d.position.file : checked.file;
}

std::string uri_of(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF", kPlain = "-._~/";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4u];
      out += kHex[byte & 15u];
    }
  }
  return out;
}

void text_member(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  json.begin_object();
  json.member("text", text);
  json.end_object();
}

void write_artifact(JsonWriter& json, const std::string& file) {
  json.key("artifactLocation");
  json.begin_object();
  json.member("uri", uri_of(file));
  json.end_object();
}

void write_region(JsonWriter& json, std::string_view name, const SourcePosition& from, const SourcePosition& to) {
  json.key(name);
  json.begin_object();
  json.member("startLine", from.line);
  json.member("startColumn", from.column);
  json.member("endLine", to.line);
  json.member("endColumn", to.column);
  json.end_object();
}

class SarifWriter {
public:
  SarifWriter(const std::vector<Problem>& problems, const CheckedFile& checked, std::string& out)
      : problems_(problems), checked_(checked), json_(out, 12) {
    std::set<std::string> codes;
    for (const Problem& problem : problems) codes.insert(problem.diagnostic.code);
    codes_.assign(codes.begin(), codes.end());
  }

  void run() {
    json_.begin_object();
    json_.member("$schema",
                 "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json");
    json_.member("version", "2.1.0");
    json_.key("runs");
    json_.begin_array();
    json_.begin_object();
    write_tool();
    json_.member("columnKind", "unicodeCodePoints");
    json_.key("results");
    json_.begin_array();
    for (const Problem& problem : problems_) write_result(problem);
    json_.end_array();
    json_.end_object();
    json_.end_array();
    json_.end_object();
  }

private:
  void write_tool() {
    json_.key("tool");
    json_.begin_object();
    json_.key("driver");
    json_.begin_object();
    json_.member("name", "tpsim");
    json_.member("version", kVersion);
    json_.key("rules");
    json_.begin_array();
    for (const std::string& code : codes_) write_rule(code);
    json_.end_array();
    json_.end_object();
    json_.end_object();
  }

  void write_rule(const std::string& code) {
    json_.begin_object();
    json_.member("id", code);
    if (const DiagnosticInfo* info = find_diagnostic(code)) {
      text_member(json_, "shortDescription", info->title);
      text_member(json_, "fullDescription", info->cause);
      std::string help(info->cause);
      if (!info->example.empty()) help += "\nExample: " + std::string(info->example);
      if (!info->fix.empty()) help += "\nFix: " + std::string(info->fix);
      text_member(json_, "help", help + "\nMore: tpsim explain " + code);
      json_.key("defaultConfiguration");
      json_.begin_object();
      json_.member("level", level(info->severity, "note"));
      json_.end_object();
    }
    json_.end_object();
  }

  void write_result(const Problem& problem) {
    const Diagnostic& d = problem.diagnostic;
    json_.begin_object();
    json_.member("ruleId", d.code);
    json_.member("ruleIndex", std::lower_bound(codes_.begin(), codes_.end(), d.code) - codes_.begin());
    json_.member("level", level(d.severity, "note"));
    text_member(json_, "message", full_text(problem));
    write_locations(d);
    write_fixes(d);
    json_.key("properties");
    json_.begin_object();
    json_.array("tp", problem.sizes);
    json_.member("count", d.count);
    if (d.effect_bytes) json_.member("effect_bytes", *d.effect_bytes);
    json_.end_object();
    json_.end_object();
  }

  void write_locations(const Diagnostic& d) {
    const std::string& file = file_of(d, checked_);
    if (file.empty() && d.where.empty()) return;
    json_.key("locations");
    json_.begin_array();
    json_.begin_object();
    if (!file.empty()) {
      json_.key("physicalLocation");
      json_.begin_object();
      write_artifact(json_, file);
      if (d.position.line > 0) write_region(json_, "region", d.position, end_of(d.position));
      json_.end_object();
    }
    if (!d.where.empty()) {
      json_.key("logicalLocations");
      json_.begin_array();
      json_.begin_object();
      json_.member("fullyQualifiedName", d.where);
      json_.member("kind", "module");
      json_.end_object();
      json_.end_array();
    }
    json_.end_object();
    json_.end_array();
  }

  SourcePosition end_of(const SourcePosition& position) const {
    const auto literal = literal_at(checked_.text, position);
    if (!literal) return {position.file, position.line, position.column + 1};
    return locate(checked_.text, position.file, literal->offset + literal->length);
  }

  void write_fixes(const Diagnostic& d) {
    std::vector<std::pair<const Fix*, std::vector<TextEdit>>> fixes;
    for (const Fix& fix : d.fixes) {
      if (fix.patch.empty() || checked_.plan == nullptr || checked_.text.empty()) continue;
      if (auto edits = text_edits(checked_.text, *checked_.plan, fix.patch))
        fixes.emplace_back(&fix, std::move(*edits));
    }
    if (fixes.empty()) return;
    json_.key("fixes");
    json_.begin_array();
    for (const auto& [fix, edits] : fixes) write_fix(*fix, edits);
    json_.end_array();
  }

  void write_fix(const Fix& fix, const std::vector<TextEdit>& edits) {
    json_.begin_object();
    text_member(json_, "description", fix.title);
    json_.key("artifactChanges");
    json_.begin_array();
    json_.begin_object();
    write_artifact(json_, checked_.file);
    json_.key("replacements");
    json_.begin_array();
    for (const TextEdit& edit : edits) {
      json_.begin_object();
      write_region(json_, "deletedRegion", locate(checked_.text, checked_.file, edit.span.offset),
                   locate(checked_.text, checked_.file, edit.span.offset + edit.span.length));
      if (!edit.text.empty()) text_member(json_, "insertedContent", edit.text);
      json_.end_object();
    }
    json_.end_array();
    json_.end_object();
    json_.end_array();
    json_.end_object();
  }

  const std::vector<Problem>& problems_;
  const CheckedFile& checked_;
  JsonWriter json_;
  std::vector<std::string> codes_;
};

}  // namespace

std::string to_github(const std::vector<Problem>& problems, const CheckedFile& checked) {
  std::string out;
  for (const Problem& problem : problems) {
    const Diagnostic& d = problem.diagnostic;
    out += std::string("::") + level(d.severity, "notice") + " ";
    if (const std::string& file = file_of(d, checked); !file.empty()) out += "file=" + escaped(file, true) + ",";
    if (d.position.line > 0)
      out += "line=" + std::to_string(d.position.line) + ",col=" + std::to_string(d.position.column) + ",";
    out += "title=" + escaped(d.code, true) + "::" + escaped(full_text(problem), false) + "\n";
  }
  return out;
}

std::string to_sarif(const std::vector<Problem>& problems, const CheckedFile& checked) {
  std::string out;
  SarifWriter(problems, checked, out).run();
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

}  // namespace tpsim::cli
