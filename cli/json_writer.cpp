#include "cli/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace tpsim::cli {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\r': out += "\\r"; return;
    default: break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// Bytes of the UTF-8 sequence that starts `text`; 0 if it is not one.
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  return length;
}

// Bytes that are not UTF-8 (file names may hold any) become U+FFFD.
void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 1) {
      append_escaped(out, text.front());
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

bool contains_path(std::string_view outer, std::string_view inner) {
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '.');
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

bool JsonWriter::selected() const {
  if (kept_.empty()) return true;
  return std::any_of(kept_.begin(), kept_.end(),
                     [&](const std::string& kept) { return contains_path(kept, path_) || contains_path(path_, kept); });
}

void JsonWriter::note_path() {
  if (recording_ && std::find(paths_.begin(), paths_.end(), path_) == paths_.end()) paths_.push_back(path_);
}

void JsonWriter::key(std::string_view name) {
  if (skipping_ > 0) return;
  if (!kept_.empty() || recording_) {
    path_.resize(levels_.back().path_size);
    if (!path_.empty()) path_ += '.';
    path_ += name;
    note_path();
    if (!selected()) {
      skip_next_ = true;
      return;
    }
  }
  separate();
  append_json_string(out_, name);
  out_ += levels_.back().one_line ? ":" : ": ";
  after_key_ = true;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  Level& level = levels_.back();
  if (!level.empty) out_ += ',';
  if (!level.one_line) {
    out_ += '\n';
    out_.append(2 * levels_.size(), ' ');
  }
  level.empty = false;
}

void JsonWriter::put(std::string_view text) {
  if (skipping_ > 0) return;
  if (skip_next_) {
    skip_next_ = false;
    return;
  }
  separate();
  out_ += text;
}

void JsonWriter::open(char bracket, bool one_line) {
  if (skipping_ > 0 || skip_next_) {
    skip_next_ = false;
    ++skipping_;
    return;
  }
  separate();
  out_ += bracket;
  one_line = one_line || levels_.size() >= static_cast<std::size_t>(open_depth_);
  levels_.push_back({one_line, true, path_.size()});
}

void JsonWriter::close(char bracket) {
  if (skipping_ > 0) {
    --skipping_;
    return;
  }
  const Level level = levels_.back();
  levels_.pop_back();
  if (!level.empty && !level.one_line) {
    out_ += '\n';
    out_.append(2 * levels_.size(), ' ');
  }
  out_ += bracket;
  path_.resize(std::min(path_.size(), level.path_size));
  if (levels_.empty() && open_depth_ > 0) out_ += '\n';
}

void JsonWriter::value(std::string_view text) {
  if (skipping_ > 0 || skip_next_) return put({});
  separate();
  append_json_string(out_, text);
}

void JsonWriter::value(bool truth) { put(truth ? "true" : "false"); }
void JsonWriter::null() { put("null"); }

void JsonWriter::integer(std::int64_t number) {
  std::array<char, 24> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  put({buffer.data(), static_cast<std::size_t>(end - buffer.data())});
}

void JsonWriter::value(double number, int decimals) {
  if (!std::isfinite(number)) return null();
  std::array<char, 400> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed, decimals).ptr;
  std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  if (text.find('.') != std::string_view::npos) {
    while (text.ends_with('0')) text.remove_suffix(1);
    if (text.ends_with('.')) text.remove_suffix(1);
  }
  put(text == "-0" ? "0" : text);
}

}  // namespace tpsim::cli
