#include "cli/problems.h"

#include <algorithm>

#include "cli/messages.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

bool same(const Diagnostic& a, const Diagnostic& b) {
  return a.code == b.code && a.where == b.where && a.rule == b.rule && a.severity == b.severity;
}

// A plan key as a JSON pointer below the plan's object.
std::string pointer(std::string_view key) {
  std::string out = "/";
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

void write_fix(JsonWriter& json, const Fix& fix) {
  json.begin_object();
  json.member("title", fix.title);
  json.key("patch");
  json.begin_array();
  for (const PatchOperation& operation : fix.patch) {
    json.begin_object();
    json.member("op", operation.op);
    json.member("path", pointer(operation.key));
    if (operation.op != "remove") json.member("value", operation.value);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_position(JsonWriter& json, const SourcePosition& position) {
  json.key("position");
  json.begin_object();
  json.member("file", position.file);
  json.member("line", position.line);
  json.member("column", position.column);
  json.end_object();
}

void write_problem(JsonWriter& json, const Problem& problem) {
  const Diagnostic& d = problem.diagnostic;
  json.begin_object();
  json.member("code", d.code);
  json.member("severity", to_string(d.severity));
  json.member("where", d.where);
  json.member("rule", d.rule);
  if (d.position.line > 0) write_position(json, d.position);
  json.member("message", d.message);
  json.array("details", d.details);
  json.array("tp", problem.sizes);
  json.member("count", d.count);
  if (d.effect_bytes) json.member("effect_bytes", *d.effect_bytes);
  json.key("fixes");
  json.begin_array();
  for (const Fix& fix : d.fixes) write_fix(json, fix);
  json.end_array();
  json.end_object();
}

}  // namespace

void merge(std::vector<Problem>& problems, const std::vector<Diagnostic>& diagnostics, int tp) {
  for (const Diagnostic& d : diagnostics) {
    const auto it =
        std::find_if(problems.begin(), problems.end(), [&](const Problem& p) { return same(p.diagnostic, d); });
    if (it == problems.end()) {
      problems.push_back({d, {tp}});
    } else if (it->sizes.back() != tp) {
      it->sizes.push_back(tp);
    }
  }
}

void sort_by_severity(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.diagnostic.severity < b.diagnostic.severity; });
}

std::vector<Diagnostic> with_sizes(const std::vector<Problem>& problems, const std::vector<int>& all_sizes) {
  std::vector<Diagnostic> diagnostics;
  for (const Problem& problem : problems) {
    diagnostics.push_back(problem.diagnostic);
    if (problem.sizes.size() < all_sizes.size()) {
      diagnostics.back().details.push_back("at TP " + joined(problem.sizes, " ") + " only");
    }
  }
  return diagnostics;
}

std::string failure_text(const Analysis& analysis) {
  const auto& reasons = analysis.verdict_reasons;
  const auto it = std::find_if(analysis.diagnostics.begin(), analysis.diagnostics.end(), [&](const Diagnostic& d) {
    return std::find(reasons.begin(), reasons.end(), d.code) != reasons.end();
  });
  if (it == analysis.diagnostics.end()) return "error: the plan does not run at this size";
  return "error " + it->code + ": " + it->message;
}

void write_problems(JsonWriter& json, const std::vector<Problem>& problems) {
  json.begin_array();
  for (const Problem& problem : problems) write_problem(json, problem);
  json.end_array();
}

}  // namespace tpsim::cli
