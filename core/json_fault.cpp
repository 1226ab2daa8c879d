#include "core/json_fault.h"

#include <algorithm>
#include <array>

#include "core/source_text.h"
#include "core/utf8.h"

namespace tpsim {

namespace {

std::size_t skip_space(std::string_view text, std::size_t offset) {
  return std::min(text.find_first_not_of(" \t\r\n", offset), text.size());
}

std::string line_of(std::string_view text, std::size_t offset) { return std::to_string(locate(text, {}, offset).line); }

const char* expectation(JsonContext context, bool after_separator) {
  switch (context) {
    case JsonContext::start: return "expected a value";
    case JsonContext::object_begin: return "expected a key in double quotes or '}'";
    case JsonContext::list_begin: return "expected a value or ']'";
    case JsonContext::key: return after_separator ? "expected a value after ':'" : "expected ':' after the key";
    case JsonContext::object_value:
      return after_separator ? "expected a key in double quotes after ','" : "expected ',' or '}' after the value";
    case JsonContext::list_value:
      return after_separator ? "expected a value after ','" : "expected ',' or ']' after the value";
    case JsonContext::finished: return "expected the end of the file";
  }
  return "";
}

std::string end_of_file_note(std::string_view text, const std::vector<std::size_t>& open) {
  if (open.empty()) return "the file ends here";
  const std::string brackets = open.size() == 1 ? "1 bracket is" : std::to_string(open.size()) + " brackets are";
  return "the file ends here, but " + brackets + " still open, the last since line " + line_of(text, open.back());
}

// Habits of other languages, by the characters at the place.
std::string foreign_note(std::string_view rest) {
  struct Habit {
    std::string_view start, note;
  };
  constexpr std::array kHabits = {
      Habit{"'", "JSON needs double quotes"},
      Habit{"\u201c", "JSON needs plain double quotes"},
      Habit{"\u201d", "JSON needs plain double quotes"},
      Habit{"#", "JSON has no comments"},
      Habit{"//", "JSON has no comments"},
      Habit{"/*", "JSON has no comments"},
      Habit{"True", "JSON writes true"},
      Habit{"False", "JSON writes false"},
      Habit{"None", "JSON writes null"},
      Habit{"=", "JSON writes ':' between key and value"},
  };
  for (const Habit& habit : kHabits) {
    if (rest.starts_with(habit.start)) return std::string(habit.note);
  }
  return {};
}

bool starts_value(char c) {
  return c == '"' || c == '{' || c == '[' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

std::string mismatch_note(std::string_view text, const JsonStop& stop, char found) {
  const std::string opened = stop.open.empty() ? "" : std::string(1, text[stop.open.back()]);
  if (opened.empty()) return "nothing is open here";
  if ((found == '}') == (opened == "{")) return {};
  return "the '" + opened + "' of line " + line_of(text, stop.open.back()) + " is still open";
}

struct Place {
  std::size_t offset = 0;     // of the token that is wrong
  std::size_t separator = 0;  // offset of the ',' or ':' before it
  bool after_separator = false;
};

Place place_of(std::string_view text, const JsonStop& stop) {
  Place place{skip_space(text, stop.last_end), 0, false};
  const bool comma_fits = stop.context == JsonContext::object_value || stop.context == JsonContext::list_value;
  const char separator = comma_fits ? ',' : ':';
  if (!comma_fits && stop.context != JsonContext::key) return place;
  if (place.offset == text.size() || text[place.offset] != separator) return place;
  return {skip_space(text, place.offset + 1), place.offset, true};
}

bool lacks_comma(std::string_view text, const JsonStop& stop, const Place& place) {
  const bool value_ended = stop.context == JsonContext::object_value || stop.context == JsonContext::list_value;
  return value_ended && !place.after_separator && place.offset < text.size() && starts_value(text[place.offset]);
}

std::string missing_comma_note(std::string_view text, std::size_t last_end, std::size_t offset) {
  const std::string line = line_of(text, last_end);
  return line == line_of(text, offset) ? "a comma is missing before this"
                                       : "a comma is missing at the end of line " + line;
}

std::string note_for(std::string_view text, const JsonStop& stop, const Place& place) {
  if (place.offset >= text.size()) return end_of_file_note(text, stop.open);
  const char c = text[place.offset];
  const std::string foreign = foreign_note(text.substr(place.offset));
  if (!foreign.empty()) return foreign;
  const bool closing = c == '}' || c == ']';
  if (closing && place.after_separator && text[place.separator] == ',') {
    return "the comma at the end of line " + line_of(text, place.separator) + " is one too many";
  }
  if (closing && stop.context != JsonContext::finished) return mismatch_note(text, stop, c);
  if (lacks_comma(text, stop, place)) return missing_comma_note(text, stop.last_end, place.offset);
  if (stop.context == JsonContext::finished) return "the text before this is complete";
  return {};
}

bool mentions(const std::string& complaint, std::string_view words) {
  return complaint.find(words) != std::string::npos;
}

// The token itself is broken. None where the plain expectation says it better (an unknown word in place of a value).
std::optional<Error> lexical_error(std::string_view text, const std::string& file, const JsonStop& stop,
                                   const Place& place) {
  const std::string& complaint = stop.lexical;
  const std::size_t last = stop.read == 0 ? 0 : std::min(stop.read - 1, text.size());
  if (mentions(complaint, "missing closing quote")) {
    return json_error(text, file, place.offset, "a string is not closed",
                      "the string that starts here has no closing '\"'");
  }
  if (mentions(complaint, "control character U+000A") || mentions(complaint, "control character U+000D")) {
    return json_error(text, file, place.offset, "a string is not closed on its line", "a closing '\"' is missing");
  }
  if (mentions(complaint, "out of range")) return json_error(text, file, place.offset, complaint, "");
  if (mentions(complaint, "invalid string") || mentions(complaint, "invalid number")) {
    return json_error(text, file, last, complaint, "");
  }
  return std::nullopt;
}

Error plain_error(const std::string& file, const std::string& what, std::vector<std::string> fixes) {
  Error error = input_error(base_name(file) + " " + what, file);
  error.fixes = std::move(fixes);
  return error;
}

}  // namespace

Error json_error(std::string_view text, const std::string& file, std::size_t offset, const std::string& what,
                 const std::string& note) {
  return error_at(text, file, Span{offset, 1}, base_name(file) + " is not valid JSON: " + what, note);
}

Error syntax_error(std::string_view text, const std::string& file, const JsonStop& stop) {
  const Place place = place_of(text, stop);
  if (!stop.lexical.empty()) {
    if (auto error = lexical_error(text, file, stop, place)) return *std::move(error);
  }
  return json_error(text, file, place.offset, expectation(stop.context, place.after_separator),
                    note_for(text, stop, place));
}

std::optional<Error> not_json(std::string_view text, const std::string& file) {
  const std::string size = std::to_string(text.size()) + " bytes";
  if (text.empty()) return plain_error(file, "is empty (0 bytes)", {"download the file again"});
  if (text.starts_with("version https://git-lfs")) {
    return plain_error(file, "is a Git LFS pointer (" + size + "), not the file", {"git lfs pull"});
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return plain_error(file, "is UTF-16, not UTF-8", {"save it as UTF-8"});
  }
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    return plain_error(file, "is binary, not JSON (byte " + std::to_string(zero) + " is zero)", {});
  }
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return plain_error(file, "holds only white space (" + size + ")", {"download the file again"});
  }
  if (text[first] == '<') {
    return plain_error(file, "is HTML or XML, not JSON (a saved web page?)", {"download the raw file"});
  }
  if (const auto bad = find_invalid_utf8(text)) {
    Error error = plain_error(file, "is not UTF-8 (byte " + std::to_string(*bad) + ")", {"save it as UTF-8"});
    error.where = to_string(locate(text, file, *bad));
    return error;
  }
  return std::nullopt;
}

}  // namespace tpsim
