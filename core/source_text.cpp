#include "core/source_text.h"

#include <algorithm>

namespace tpsim {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::size_t line_begin(std::string_view text, std::size_t offset) {
  const auto newline = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

std::string_view line_from(std::string_view text, std::size_t begin) {
  auto line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Control characters as one blank each, so that the caret stays below its place.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20u || c == 0x7F) c = ' ';
  return out;
}

// The part of a line that is shown.
struct Window {
  std::string text;
  std::size_t caret = 0;  // characters before the span
  std::size_t width = 1;  // characters of the span
};

Window window_around(std::string_view line, std::size_t column, std::size_t length) {
  constexpr std::size_t before = 60, total = 110;
  column = std::min(column, line.size());
  std::size_t begin = line.size() <= total || column <= before ? 0 : column - before;
  while (begin > 0 && is_continuation(line[begin])) --begin;
  std::size_t end = std::min(line.size(), begin + total);
  while (end < line.size() && is_continuation(line[end])) ++end;
  const auto shown = line.substr(begin, end - begin);
  Window window;
  window.text = (begin > 0 ? "..." : "") + printable(shown) + (end < line.size() ? "..." : "");
  window.caret = count_characters(shown.substr(0, column - begin)) + (begin > 0 ? 3 : 0);
  window.width = std::max<std::size_t>(1, count_characters(shown.substr(column - begin, length)));
  return window;
}

std::string gutter(int line) {
  std::string number = std::to_string(line);
  if (number.size() < 2) number.insert(0, 1, ' ');
  return number + " | ";
}

}  // namespace

SourcePosition locate(std::string_view text, const std::string& file, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  return {file, 1 + static_cast<int>(lines),
          1 + static_cast<int>(count_characters(before.substr(line_begin(text, offset))))};
}

std::string to_string(const SourcePosition& position) {
  if (position.line == 0) return position.file;
  return position.file + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

std::string base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

Error error_at(std::string_view text, const std::string& file, Span span, std::string message, std::string_view note) {
  const std::size_t offset = std::min(span.offset, text.size());
  const auto position = locate(text, file, offset);
  const std::size_t begin = line_begin(text, offset);
  const auto window = window_around(line_from(text, begin), offset - begin, span.length);
  Error error = input_error(std::move(message), to_string(position));
  if (!note.empty() && begin > 0) {
    const auto before = line_from(text, line_begin(text, begin - 1));
    error.details.push_back(gutter(position.line - 1) + window_around(before, 0, 1).text);
  }
  const std::string number = gutter(position.line);
  error.details.push_back(number + window.text);
  std::string marker =
      std::string(number.size() - 2, ' ') + "| " + std::string(window.caret, ' ') + std::string(window.width, '^');
  if (!note.empty()) marker.append(" ").append(note);
  error.details.push_back(std::move(marker));
  return error;
}

}  // namespace tpsim
