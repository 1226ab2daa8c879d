#include "gui/model/plan_markers.h"

#include <algorithm>
#include <charconv>

namespace tpsim::gui {
namespace {

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The number behind the last colon, which is taken off.
int number_at_end(std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return 0;
  int number = 0;
  const auto [rest, status] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), number);
  if (status != std::errc() || rest != text.data() + text.size()) return 0;
  text.resize(colon);
  return number;
}

void add(std::vector<Marker>& markers, std::string_view text, int line, int column, bool is_error,
         const std::string& message) {
  if (line < 1) return;
  const auto same = std::find_if(markers.begin(), markers.end(), [&](const Marker& m) { return m.line == line; });
  if (same != markers.end()) {
    if (same->message.find(message) == std::string::npos) same->message += "\n" + message;
    same->is_error = same->is_error || is_error;
    return;
  }
  markers.push_back({line, std::max(column, 1), marked_length(text, line, column), is_error, message});
}

}  // namespace

int marked_length(std::string_view text, int line, int column) {
  const std::string_view whole = line_of(text, line);
  const auto begin = static_cast<std::size_t>(std::max(column, 1) - 1);
  if (begin >= whole.size()) return 1;
  const std::string_view rest = whole.substr(begin);
  const auto closed = rest.find(rest.front(), 1);
  const bool quoted = rest.front() == '"' || rest.front() == '\'';
  if (quoted && closed != std::string_view::npos) return static_cast<int>(closed) + 1;
  return static_cast<int>(rest.find_last_not_of(" \t,") + 1);
}

std::vector<Marker> plan_markers(std::string_view text, const Analysis& analysis) {
  std::vector<Marker> markers;
  for (const Diagnostic& d : analysis.diagnostics)
    if (d.severity != Severity::note)
      add(markers, text, d.position.line, d.position.column, d.severity == Severity::error, d.code + " " + d.message);
  for (const ResolvedRule& r : analysis.rules)
    if (r.modules + r.parameters == 0)
      add(markers, text, r.rule.position.line, r.rule.position.column, false, "matches no module");
  std::stable_sort(markers.begin(), markers.end(), [](const Marker& a, const Marker& b) { return a.line < b.line; });
  return markers;
}

Marker parse_marker(std::string_view text, const Error& error) {
  std::string place = error.where;
  const int column = number_at_end(place), line = number_at_end(place);
  Marker marker{std::max(line, 1), std::max(column, 1), 1, true, error.message};
  marker.length = marked_length(text, marker.line, marker.column);
  return marker;
}

}  // namespace tpsim::gui
