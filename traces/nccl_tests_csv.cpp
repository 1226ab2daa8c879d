#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "traces/nccl_tests_draft.h"

namespace tpsim {
namespace {

using Cells = std::vector<std::string>;

Cells split_cells(std::string_view line) {
  Cells cells;
  while (true) {
    const std::size_t comma = std::min(line.find(','), line.size());
    std::string_view cell = line.substr(0, comma);
    const auto is_margin = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '"' || c == '#'; };
    while (!cell.empty() && is_margin(cell.front())) cell.remove_prefix(1);
    while (!cell.empty() && is_margin(cell.back())) cell.remove_suffix(1);
    cells.emplace_back(cell);
    if (comma == line.size()) return cells;
    line.remove_prefix(comma + 1);
  }
}

enum class Column { op, type, size, count, ranks, nodes, time_us, time_ms, algbw, busbw, wrong, other };

// "Time (us)", "time_us", "size(B)" -> what the column holds.
Column column_named(std::string name) {
  std::string key;
  for (char c : name)
    if (std::isalpha(static_cast<unsigned char>(c)))
      key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (key == "op" || key == "collective" || key == "operation") return Column::op;
  if (key == "type" || key == "dtype" || key == "datatype") return Column::type;
  if (key == "size" || key == "sizeb" || key == "bytes" || key == "sizebytes" || key == "msgsize") return Column::size;
  if (key == "count" || key == "countelements") return Column::count;
  if (key == "ranks" || key == "nranks" || key == "gpus" || key == "ngpus") return Column::ranks;
  if (key == "nodes") return Column::nodes;
  if (key == "time" || key == "timeus" || key == "outofplacetimeus" || key == "latencyus") return Column::time_us;
  if (key == "timems" || key == "latencyms") return Column::time_ms;
  if (key.starts_with("algbw")) return Column::algbw;
  if (key.starts_with("busbw")) return Column::busbw;
  if (key == "wrong" || key == "nwrong") return Column::wrong;
  return Column::other;
}

std::optional<double> number_in(const std::string& cell) {
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const bool whole = error == std::errc{} && end == cell.data() + cell.size() && std::isfinite(value) && value >= 0;
  return whole ? std::optional(value) : std::nullopt;
}

class CsvReader {
public:
  CsvReader(const std::string& file, Cells header) : file_(file) {
    for (std::string& name : header) columns_.push_back(column_named(std::move(name)));
  }

  bool is_usable() const { return has(Column::size) && (has(Column::time_us) || has(Column::time_ms)); }
  bool has(Column column) const { return std::find(columns_.begin(), columns_.end(), column) != columns_.end(); }

  Result<void> row(const Cells& cells, int line) {
    SweepRow r;
    r.line = line;
    const auto size = number(cells, Column::size);
    auto time = number(cells, Column::time_us);
    if (const auto ms = number(cells, Column::time_ms); !time && ms) time = *ms * 1000;
    if (!size || !time || *size > 1e18)
      return input_error("a row needs a size and a time", file_ + ":" + std::to_string(line));
    r.bytes = static_cast<std::int64_t>(*size);
    r.us = *time;
    r.algbw = number(cells, Column::algbw).value_or(0);
    r.busbw = number(cells, Column::busbw).value_or(0);
    r.wrong = static_cast<std::int64_t>(std::min(number(cells, Column::wrong).value_or(0), 1e15));
    const int ranks = static_cast<int>(std::min(number(cells, Column::ranks).value_or(0), 1e6));
    const int nodes = static_cast<int>(std::min(number(cells, Column::nodes).value_or(0), 1e6));
    // Sweeps in the order of their first rows.
    const Key key{text(cells, Column::op), text(cells, Column::type), ranks, nodes};
    const auto [it, is_new] = index_.emplace(key, drafts_.size());
    if (is_new) drafts_.push_back(begin(key, line));
    SweepDraft& draft = drafts_[it->second];
    draft.sweep.rows.push_back(r);
    draft.counts.push_back(static_cast<std::int64_t>(std::min(number(cells, Column::count).value_or(0), 1e18)));
    return {};
  }

  Result<NcclTestsOutput> result() {
    NcclTestsOutput output;
    for (SweepDraft& draft : drafts_) {
      auto sweep = finish(std::move(draft), file_, output.notes);
      if (!sweep) return sweep.error();
      if (*sweep) output.sweeps.push_back(std::move(**sweep));
    }
    if (output.sweeps.empty() && output.notes.empty()) return input_error("the table has no rows", file_);
    return output;
  }

private:
  struct Key {
    std::string op, type;
    int ranks, nodes;
    auto operator<=>(const Key&) const = default;
  };

  static SweepDraft begin(const Key& key, int line) {
    SweepDraft draft;
    draft.program = key.op;
    draft.type = key.type;
    draft.sweep.ranks = key.ranks;
    draft.sweep.nodes = key.nodes;
    draft.sweep.line = line;
    return draft;
  }

  std::string text(const Cells& cells, Column column) const {
    for (std::size_t i = 0; i < std::min(cells.size(), columns_.size()); ++i)
      if (columns_[i] == column) return cells[i];
    return {};
  }
  std::optional<double> number(const Cells& cells, Column column) const { return number_in(text(cells, column)); }

  std::string file_;
  std::vector<Column> columns_;
  std::map<Key, std::size_t> index_;
  std::vector<SweepDraft> drafts_;
};

}  // namespace

bool is_csv_header(std::string_view line) {
  const Cells cells = split_cells(line);
  return cells.size() > 1 && CsvReader({}, cells).is_usable();
}

Result<NcclTestsOutput> parse_nccl_csv(std::string_view text, const std::string& file) {
  std::optional<CsvReader> reader;
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Cells cells = split_cells(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (cells.size() < 2) continue;
    if (!reader) {
      CsvReader candidate(file, cells);
      if (candidate.is_usable()) reader.emplace(std::move(candidate));
      continue;
    }
    if (auto ok = reader->row(cells, line); !ok) return ok.error();
  }
  if (!reader) return input_error("no header with a size and a time (as in \"size,time_us\")", file);
  return reader->result();
}

}  // namespace tpsim
