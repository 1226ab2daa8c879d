#include "sim/measured/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/suggest.h"
#include "core/text_file.h"

namespace tpsim {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kShownColumns = 12, kShownCell = 40;

std::string place(const std::string& file, int line) { return file + ":" + std::to_string(line); }

// Cells of one record at a time.
class Scanner {
public:
  Scanner(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  // Stands before a record; false at the end of the text.
  bool more() {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '#')) skip_line();
    return at_ < text_.size();
  }

  Result<MeasuredRow> record() {
    MeasuredRow row;
    row.line = line_;
    while (true) {
      std::string cell;
      if (auto read = read_cell(cell); !read) return read.error();
      row.cells.push_back(std::move(cell));
      if (at_ < text_.size() && text_[at_] == ',') {
        ++at_;
        continue;
      }
      end_line();
      return row;
    }
  }

private:
  void skip_line() {
    at_ = std::min(text_.find('\n', at_), text_.size());
    end_line();
  }

  void end_line() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    ++line_;
  }

  Result<void> read_cell(std::string& cell) {
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted(cell);
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != ',' && text_[end] != '\n') ++end;
    std::string_view plain = text_.substr(at_, end - at_);
    at_ = end;
    if (plain.ends_with('\r')) plain.remove_suffix(1);
    cell = plain;
    return {};
  }

  Result<void> read_quoted(std::string& cell) {
    const int first_line = line_;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"' && !(at_ + 1 < text_.size() && text_[at_ + 1] == '"')) return close_quote();
      if (text_[at_] == '"') ++at_;
      if (text_[at_] == '\n') ++line_;
      cell += text_[at_];
    }
    return input_error("a quote is not closed", place(file_, first_line));
  }

  Result<void> close_quote() {
    ++at_;
    if (at_ == text_.size() || text_[at_] == ',' || text_[at_] == '\n' || text_[at_] == '\r') return {};
    return input_error("text follows a closed quote", place(file_, line_));
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1;
};

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

Result<void> set_columns(MeasuredTable& table, const MeasuredRow& header) {
  for (const std::string& cell : header.cells) {
    std::string name = trimmed(cell);
    const auto number = std::to_string(table.columns.size() + 1);
    if (name.empty()) return input_error("column " + number + " has no name", place(table.file, header.line));
    if (table.has(name)) return input_error("column \"" + name + "\" stands twice", place(table.file, header.line));
    table.columns.push_back(std::move(name));
  }
  return {};
}

Error wrong_width(const MeasuredTable& table, const MeasuredRow& row) {
  Error error = input_error(
      "this row has " + std::to_string(row.cells.size()) + " cells, the header " + std::to_string(table.columns.size()),
      place(table.file, row.line));
  error.fixes = {"quote cells that hold a comma: \"a, b\""};
  return error;
}

std::string column_list(const MeasuredTable& table) {
  std::string list;
  for (std::size_t i = 0; i < table.columns.size() && i < kShownColumns; ++i)
    list += (list.empty() ? "" : ", ") + table.columns[i];
  return table.columns.size() > kShownColumns ? list + ", ..." : list;
}

Error missing_column(const MeasuredTable& table, std::string_view name) {
  Error error = input_error("no column \"" + std::string(name) + "\"", table.file);
  error.details = {"columns: " + column_list(table)};
  if (const auto near = nearest(name, table.columns, 1); !near.empty())
    error.details.push_back("similar: \"" + near.front() + "\"");
  return error;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string shown(std::string_view cell) {
  return "\"" + std::string(cell.substr(0, kShownCell)) + (cell.size() > kShownCell ? "...\"" : "\"");
}

std::string csv_cell(const std::string& cell) {
  const bool plain = cell.find_first_of(",\"\n\r") == std::string::npos && !cell.starts_with('#');
  if (plain) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) line += csv_cell(cell) + ",";
  if (!line.empty()) line.back() = '\n';
  return line;
}

}  // namespace

bool MeasuredTable::has(std::string_view column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

Result<MeasuredTable> parse_measured(std::string_view text, const std::string& file) {
  MeasuredTable table;
  table.file = file;
  Scanner scanner(text, table.file);
  if (!scanner.more()) return input_error("no header line with column names: the file is empty", file);
  const auto header = scanner.record();
  if (!header) return header.error();
  if (auto set = set_columns(table, *header); !set) return set.error();
  while (scanner.more()) {
    auto row = scanner.record();
    if (!row) return row.error();
    if (row->cells.size() != table.columns.size()) return wrong_width(table, *row);
    table.rows.push_back(std::move(*row));
  }
  return table;
}

Result<MeasuredTable> read_measured(const std::string& path) {
  const auto text = path == "-" ? read_standard_input(kMaxMeasuredBytes) : read_text_file(path, kMaxMeasuredBytes);
  if (!text) return text.error();
  return parse_measured(*text, path == "-" ? "standard input" : path);
}

std::string to_csv(const MeasuredTable& table) {
  std::string text = csv_line(table.columns);
  for (const MeasuredRow& row : table.rows) text += csv_line(row.cells);
  return text;
}

Result<void> require_columns(const MeasuredTable& table, std::initializer_list<std::string_view> columns) {
  for (const std::string_view column : columns)
    if (!table.has(column)) return missing_column(table, column);
  return {};
}

MeasuredColumn::MeasuredColumn(const MeasuredTable& table, std::string_view name, std::string_view fallback)
    : table_(&table), name_(name), fallback_(fallback) {
  const auto it = std::find(table.columns.begin(), table.columns.end(), name);
  if (it != table.columns.end()) index_ = static_cast<int>(it - table.columns.begin());
}

std::string_view MeasuredColumn::text(const MeasuredRow& row) const {
  if (index_ < 0) return fallback_;
  const std::string& cell = row.cells[static_cast<std::size_t>(index_)];
  return cell.empty() ? fallback_ : std::string_view(cell);
}

Error MeasuredColumn::error(const MeasuredRow& row, const std::string& what) const {
  return input_error(std::string(name_) + ": " + what, place(table_->file, row.line));
}

Result<double> MeasuredColumn::number(const MeasuredRow& row) const {
  const std::string_view cell = text(row);
  if (cell.empty()) return error(row, exists() ? "empty" : "no such column");
  const auto value = parse_number(cell);
  if (!value || !std::isfinite(*value)) return error(row, shown(cell) + " is not a number");
  return *value;
}

Result<double> MeasuredColumn::positive(const MeasuredRow& row) const {
  auto value = number(row);
  if (value && *value <= 0) return error(row, shown(text(row)) + " is not above 0");
  return value;
}

Result<std::int64_t> MeasuredColumn::count(const MeasuredRow& row) const {
  const auto value = number(row);
  if (!value) return value.error();
  constexpr double kLimit = 9007199254740992.0;  // 2^53
  if (*value < 0 || *value >= kLimit || *value != std::floor(*value))
    return error(row, shown(text(row)) + " is not a whole number from 0 to 2^53");
  return static_cast<std::int64_t>(*value);
}

}  // namespace tpsim
