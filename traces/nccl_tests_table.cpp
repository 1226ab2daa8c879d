#include <algorithm>
#include <charconv>
#include <cmath>

#include "traces/nccl_tests_draft.h"

namespace tpsim {
namespace {

using Tokens = std::vector<std::string_view>;

constexpr std::size_t kMostLine = 1 << 16;  // of a line that is looked at

Tokens split(std::string_view line) {
  Tokens tokens;
  std::size_t at = 0;
  while (true) {
    at = line.find_first_not_of(" \t\r", at);
    if (at == std::string_view::npos) return tokens;
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    tokens.push_back(line.substr(at, end - at));
    at = end;
  }
}

template <class T>
std::optional<T> parsed(std::string_view token) {
  T value{};
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc{} || end != token.data() + token.size()) return std::nullopt;
  return value;
}

std::optional<double> positive_number(std::string_view token) {
  const auto value = parsed<double>(token);
  return value && std::isfinite(*value) && *value >= 0 ? value : std::nullopt;
}

std::optional<std::int64_t> count_in(std::string_view token) {
  const auto value = parsed<std::int64_t>(token);
  return value && *value >= 0 ? value : std::nullopt;
}

std::optional<int> number_after(const Tokens& tokens, std::string_view word) {
  const auto it = std::find(tokens.begin(), tokens.end(), word);
  return it == tokens.end() || it + 1 == tokens.end() ? std::nullopt : parsed<int>(*(it + 1));
}

std::string_view word_after(const Tokens& tokens, std::string_view word) {
  const auto it = std::find(tokens.begin(), tokens.end(), word);
  return it == tokens.end() || it + 1 == tokens.end() ? std::string_view{} : *(it + 1);
}

bool contains(const Tokens& tokens, std::string_view word) {
  return std::find(tokens.begin(), tokens.end(), word) != tokens.end();
}

bool is_time(std::string_view column) { return column == "time" || column == "cputime"; }
bool is_result(std::string_view column) { return is_time(column) || column == "algbw" || column == "busbw"; }

// Columns of a table: size, count, type, reduction, root, then a group of results out of place and one in place.
struct Columns {
  bool size_first = true, has_root = false;
  std::size_t group = 4;                                  // columns
  std::size_t time = 0, algbw = 1, busbw = 2, wrong = 3;  // within a group; `group` = not there
  bool errors = false;                                    // "error" instead of "#wrong": largest relative error
};

std::size_t place_in(const Tokens& group, std::string_view name) {
  return static_cast<std::size_t>(std::find(group.begin(), group.end(), name) - group.begin());
}

// None where the line is no header.
std::optional<Columns> header_of(const Tokens& tokens) {
  Columns c;
  const auto begin = std::find_if(tokens.begin(), tokens.end(), [](auto t) { return t == "size" || t == "count"; });
  const auto first = std::find_if(begin, tokens.end(), is_result);
  if (std::none_of(first, tokens.end(), is_time) || !contains(tokens, "busbw")) return std::nullopt;
  c.size_first = *begin == "size";
  c.has_root = contains(tokens, "root");
  const auto next = std::find(first + 1, tokens.end(), *first);
  Tokens group(first, next);
  if (!group.empty() && group.back() == "timestamp") group.pop_back();
  c.group = group.size();
  c.time = static_cast<std::size_t>(std::find_if(group.begin(), group.end(), is_time) - group.begin());
  c.algbw = place_in(group, "algbw");
  c.busbw = place_in(group, "busbw");
  c.errors = contains(tokens, "error");
  c.wrong = place_in(group, c.errors ? "error" : "#wrong");
  return c;
}

// Where "size count type" begin: launchers and loggers put all kinds of things before it.
std::optional<std::size_t> row_begin(const Tokens& tokens) {
  for (std::size_t i = 0; i + 2 < tokens.size(); ++i)
    if (bytes_of_type(tokens[i + 2]) > 0 && count_in(tokens[i]) && count_in(tokens[i + 1])) return i;
  return std::nullopt;
}

bool is_word(std::string_view token) {
  return token != "N/A" && token != "nan" && token != "inf" && !positive_number(token) && !parsed<int>(token);
}

class TableReader {
public:
  explicit TableReader(const std::string& file) : file_(file) {}

  void line(std::string_view text, bool ended) {
    ++line_;
    const Tokens tokens = split(text.substr(0, kMostLine));
    if (tokens.empty()) return;
    if (const auto begin = row_begin(tokens))
      return row(Tokens(tokens.begin() + static_cast<std::ptrdiff_t>(*begin), tokens.end()), ended);
    if (const std::string program = program_in(text); !program.empty()) return name_program(program, tokens);
    if (const auto header = header_of(tokens)) return start_table(*header);
    if (contains(tokens, "nThread")) return begin_run();
    if (contains(tokens, "Rank") && contains(tokens, "device")) return list_rank(tokens, text);
    if (text.find("Out of bounds values") != std::string_view::npos) return out_of_bounds(tokens);
    if (contains(tokens, "(ms)") && draft_.sweep.rows.empty()) time_unit_ = 1000;
    if (contains(tokens, "(us)")) time_unit_ = 1;
    if (const auto version = text.find("NCCL version "); version != std::string_view::npos)
      draft_.sweep.library =
          split(text.substr(version + 13)).empty() ? "" : std::string(split(text.substr(version + 13)).front());
  }

  Result<NcclTestsOutput> result() {
    if (auto ok = end_sweep(); !ok) return ok.error();
    if (output_.sweeps.empty() && output_.notes.empty()) {
      Error error = input_error("no table of nccl-tests found", file_);
      error.details = {"looked for rows such as \"1048576  262144  float  sum  -1  28.56  36.71  64.24  0\""};
      return error;
    }
    return std::move(output_);
  }

private:
  // A line that stands before a table: the next run begins if the last one has rows.
  void begin_run() {
    if (draft_.sweep.rows.empty()) return;
    if (auto ok = end_sweep(); !ok) failed_ = ok.error();
    columns_.reset();
  }

  void name_program(const std::string& program, const Tokens& tokens) {
    const bool concluded = contains(tokens, "concluded:");
    if (!concluded) begin_run();
    draft_.program = program;
  }

  void start_table(const Columns& columns) {
    begin_run();
    columns_ = columns;
    time_unit_ = 1;
    draft_.sweep.line = line_;
  }

  void list_rank(const Tokens& tokens, std::string_view text) {
    begin_run();
    const auto rank = number_after(tokens, "Rank");
    if (!rank || *rank < 0 || *rank > 1 << 20) return;
    draft_.listed_ranks = std::max(draft_.listed_ranks, *rank + 1);
    if (const auto host = word_after(tokens, "on"); !host.empty()) draft_.hosts.insert(std::string(host));
    const std::size_t close = text.rfind(']');
    if (close == std::string_view::npos || close + 2 >= text.size()) return;
    std::string_view name = text.substr(close + 2);
    while (!name.empty() && (name.back() == '\r' || name.back() == ' ')) name.remove_suffix(1);
    draft_.sweep.device = std::string(name);
  }

  void out_of_bounds(const Tokens& tokens) {
    const auto colon = std::find(tokens.begin(), tokens.end(), ":");
    const auto count =
        colon == tokens.end() || colon + 1 == tokens.end() ? std::nullopt : parsed<std::int64_t>(*(colon + 1));
    if (count && *count > 0) draft_.sweep.out_of_bounds = *count;
  }

  void row(const Tokens& tokens, bool ended) {
    const Columns columns = columns_.value_or(Columns{});
    const std::int64_t first = *count_in(tokens[0]), second = *count_in(tokens[1]);
    std::size_t at = 3;
    std::string redop;
    if (at < tokens.size() && is_word(tokens[at])) redop = tokens[at++];
    const std::size_t left = tokens.size() - at;
    // Without a header, five or nine columns after the reduction begin with the root.
    const bool root = columns_ ? columns.has_root && left % columns.group != 0 : left % 4 == 1 || left == 7;
    const std::size_t group = columns_ || left - (root ? 1 : 0) != 6 ? columns.group : 3;
    std::optional<int> root_rank;
    if (root && at < tokens.size()) root_rank = parsed<int>(tokens[at++]);
    SweepRow r;
    r.line = line_;
    r.bytes = columns.size_first ? first : second;
    const bool read = read_group(tokens, at, columns, group, r) || read_group(tokens, at + group, columns, group, r);
    if (!read || (!ended && tokens.size() < at + group)) {
      output_.notes.push_back(file_ + ":" + std::to_string(line_) + ": row of " + std::to_string(r.bytes) +
                              " bytes left out: it is cut off or has no time");
      return;
    }
    if (!draft_.sweep.rows.empty() && r.bytes < draft_.sweep.rows.back().bytes) continue_in_new_sweep();
    if (draft_.sweep.line == 0) draft_.sweep.line = line_;
    draft_.type = tokens[2];
    draft_.redop = redop;
    draft_.root = root_rank;
    draft_.sweep.rows.push_back(r);
    draft_.counts.push_back(columns.size_first ? second : first);
  }

  // Time, rates and wrong values; false where there is no time.
  bool read_group(const Tokens& tokens, std::size_t at, const Columns& c, std::size_t group, SweepRow& row) const {
    const auto cell = [&](std::size_t i) {
      return i < group && at + i < tokens.size() ? positive_number(tokens[at + i]) : std::nullopt;
    };
    const auto time = cell(c.time);
    if (!time || at + std::min<std::size_t>(group, 3) > tokens.size()) return false;
    row.us = *time * time_unit_;
    row.algbw = cell(c.algbw).value_or(0);
    row.busbw = cell(c.busbw).value_or(0);
    const double wrong = cell(c.wrong).value_or(0);
    // Sums in half precision differ by a few percent; an error of 1 is another value.
    constexpr double kLargeError = 0.5;
    row.wrong = c.errors ? (wrong > kLargeError ? 1 : 0) : static_cast<std::int64_t>(std::min(wrong, 1e15));
    return true;
  }

  // Sizes begin again without a line that says so: the same run once more.
  void continue_in_new_sweep() {
    const SweepDraft last = draft_;
    if (auto ok = end_sweep(); !ok) failed_ = ok.error();
    draft_.program = last.program;
    draft_.listed_ranks = last.listed_ranks;
    draft_.hosts = last.hosts;
    draft_.sweep.device = last.sweep.device;
    draft_.sweep.library = last.sweep.library;
    draft_.sweep.line = line_;
  }

  Result<void> end_sweep() {
    if (failed_) return *failed_;
    SweepDraft done = std::move(draft_);
    draft_ = {};
    if (done.sweep.rows.empty()) return {};
    auto sweep = finish(std::move(done), file_, output_.notes);
    if (!sweep) return sweep.error();
    if (*sweep) output_.sweeps.push_back(std::move(**sweep));
    return {};
  }

  const std::string& file_;
  int line_ = 0;
  SweepDraft draft_;
  std::optional<Columns> columns_;
  double time_unit_ = 1;
  std::optional<Error> failed_;
  NcclTestsOutput output_;
};

}  // namespace

Result<NcclTestsOutput> parse_nccl_tables(std::string_view text, const std::string& file) {
  TableReader reader(file);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    reader.line(text.substr(0, end), end != std::string_view::npos);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return reader.result();
}

}  // namespace tpsim
