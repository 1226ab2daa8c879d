#include "traces/nccl_log_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/characters.h"

namespace tpsim {
namespace {

struct Marker {
  std::string_view text;
  NcclLevel level;
};
constexpr std::array kMarkers = {
    Marker{"NCCL INFO ", NcclLevel::info},         Marker{"RCCL INFO ", NcclLevel::info},
    Marker{"NCCL WARN ", NcclLevel::warning},      Marker{"RCCL WARN ", NcclLevel::warning},
    Marker{"NCCL ERROR ", NcclLevel::warning},     Marker{"NCCL TRACE ", NcclLevel::trace},
    Marker{"NCCL CALL ", NcclLevel::trace},        Marker{"NCCL VERSION ", NcclLevel::version},
    Marker{"NCCL version ", NcclLevel::version},   Marker{"RCCL version ", NcclLevel::version},
    Marker{"RCCL version : ", NcclLevel::version},
};

struct Found {
  std::size_t begin = std::string_view::npos, end = 0;
  NcclLevel level = NcclLevel::info;
};

Found next_marker(std::string_view line, std::size_t from) {
  Found found;
  for (const Marker& marker : kMarkers) {
    const auto at = line.find(marker.text, from);
    if (at < found.begin || (at == found.begin && at != std::string_view::npos && at + marker.text.size() > found.end))
      found = {at, at + marker.text.size(), marker.level};
  }
  return found;
}

// Of the end of another statement in front of a host: "COMPLETEnode-0".
std::size_t glued_length(std::string_view token) {
  for (const std::string_view end : {"COMPLETE", "START"})
    if (token.starts_with(end) && token.size() > end.size()) return end.size();
  return 0;
}

// "node-0:120:180" -> "node-0", "node-0:120"; a torn one gives nothing.
void read_writer(std::string_view token, NcclStatement& statement) {
  const auto last = token.rfind(':');
  if (last == std::string_view::npos || !all_digits(token.substr(last + 1))) return;
  const auto middle = token.rfind(':', last - 1);
  if (middle == std::string_view::npos || middle == 0 || !all_digits(token.substr(middle + 1, last - middle - 1)))
    return;
  // What stands in front of the host is glued on by a launcher ("[1,0]<stdout>:node", "0:node") or another writer.
  std::string_view host = token.substr(0, middle);
  host.remove_prefix(glued_length(host));
  if (const auto glued = host.find_last_of(":>]"); glued != std::string_view::npos) host.remove_prefix(glued + 1);
  if (host.empty()) return;
  statement.host = host;
  statement.writer = std::string(host) + std::string(token.substr(middle, last - middle));
}

// "... host:pid:tid [3] " and, of warnings and traces, a place in the source behind it.
void read_prefix(std::string_view prefix, NcclStatement& statement) {
  std::size_t close = prefix.rfind(']');
  while (close != std::string_view::npos) {
    const auto open = prefix.rfind('[', close);
    if (open == std::string_view::npos) return;
    const std::string_view inside = prefix.substr(open + 1, close - open - 1);
    if (all_digits(inside) && inside.size() < 5) {
      std::from_chars(inside.data(), inside.data() + inside.size(), statement.device);
      std::string_view before = prefix.substr(0, open);
      while (before.ends_with(' ')) before.remove_suffix(1);
      const auto space = before.find_last_of(" \t");
      return read_writer(space == std::string_view::npos ? before : before.substr(space + 1), statement);
    }
    if (open == 0) return;
    close = prefix.rfind(']', open - 1);
  }
}

// The statement before ends where the next writer's prefix begins.
std::size_t prefix_begin(std::string_view line, std::size_t from, std::size_t marker) {
  const std::string_view between = line.substr(from, marker - from);
  auto close = between.rfind(']');
  if (close == std::string_view::npos) return marker;
  const auto open = between.rfind('[', close);
  if (open == std::string_view::npos) return marker;
  std::size_t end = open;
  while (end > 0 && between[end - 1] == ' ') --end;
  const auto space = between.substr(0, end).find_last_of(" \t");
  const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
  return from + begin + glued_length(between.substr(begin, end - begin));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string cleaned(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\x1b' && i + 1 < line.size() && line[i + 1] == '[') {
      i += 2;
      while (i < line.size() && (line[i] < '@' || line[i] > '~')) ++i;
    } else if (c == '\t') {
      out += ' ';
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

std::vector<NcclStatement> statements_of(std::string_view line) {
  std::vector<NcclStatement> statements;
  std::size_t from = 0;
  for (Found at = next_marker(line, 0); at.begin != std::string_view::npos;) {
    NcclStatement statement;
    statement.level = at.level;
    read_prefix(line.substr(from, at.begin - from), statement);
    Found next = next_marker(line, at.end);
    // "NCCL INFO NCCL version 2.29": one statement.
    if (next.begin == at.end && next.level == NcclLevel::version) {
      statement.level = NcclLevel::version;
      at.end = next.end;
      next = next_marker(line, at.end);
    }
    const std::size_t end = next.begin == std::string_view::npos ? line.size() : prefix_begin(line, at.end, next.begin);
    statement.text = trimmed(line.substr(at.end, end - at.end));
    statements.push_back(std::move(statement));
    from = at.end;
    at = next;
  }
  return statements;
}

std::optional<std::string_view> word_after(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    const bool starts = at == 0 || text[at - 1] == ' ' || text[at - 1] == '[' || text[at - 1] == ',';
    if (!starts || end >= text.size() || (text[end] != ' ' && text[end] != '=')) continue;
    const std::string_view rest = text.substr(
        text.find_first_not_of(" =", end) == std::string_view::npos ? text.size() : text.find_first_not_of(" =", end));
    const std::string_view word = rest.substr(0, rest.find_first_of(" ,]"));
    if (!word.empty()) return word;
  }
  return std::nullopt;
}

std::optional<long long> number_after(std::string_view text, std::string_view key) {
  const auto word = word_after(text, key);
  if (!word) return std::nullopt;
  long long value = 0;
  const auto [end, status] = std::from_chars(word->data(), word->data() + word->size(), value);
  if (status != std::errc() || end == word->data()) return std::nullopt;
  return value;
}

}  // namespace tpsim
