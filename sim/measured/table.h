// Measured rows as a CSV file holds them: a header line with column names, then one row a line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim {

struct MeasuredRow {
  int line = 0;                    // where it begins in the file, from 1
  std::vector<std::string> cells;  // one per column of the table
};

struct MeasuredTable {
  std::string file;  // for messages
  std::vector<std::string> columns;
  std::vector<MeasuredRow> rows;

  bool has(std::string_view column) const;
};

// RFC 4180: cells may be quoted, "" is a quote, line breaks within quotes count; LF or CRLF; a byte order mark, blank
// lines and lines that start with '#' are skipped. Errors: no header, a column named twice or not at all, a row with
// more or fewer cells than columns, an unclosed quote.
Result<MeasuredTable> parse_measured(std::string_view text, const std::string& file);
inline constexpr std::size_t kMaxMeasuredBytes = std::size_t{1} << 30;
Result<MeasuredTable> read_measured(const std::string& path);
// As parse_measured reads it: cells are quoted where they must be.
std::string to_csv(const MeasuredTable& table);

// An error that names the first of `columns` that is missing, and those that are there.
Result<void> require_columns(const MeasuredTable& table, std::initializer_list<std::string_view> columns);

// One column of a table, which may lack it: then every row has the fallback.
class MeasuredColumn {
public:
  MeasuredColumn(const MeasuredTable& table, std::string_view name, std::string_view fallback = {});

  bool exists() const { return index_ >= 0; }
  // The cell, or the fallback where it is empty. Lives as long as table and fallback.
  std::string_view text(const MeasuredRow& row) const;
  // Errors, as "gemm.csv:17: time_us: \"12,5\" is not a number": empty, not a number, not finite.
  Result<double> number(const MeasuredRow& row) const;
  // The same above 0.
  Result<double> positive(const MeasuredRow& row) const;
  // A whole number (also "1e3", "64.0"), not negative, below 2^53.
  Result<std::int64_t> count(const MeasuredRow& row) const;
  Error error(const MeasuredRow& row, const std::string& what) const;

private:
  const MeasuredTable* table_;
  std::string_view name_, fallback_;
  int index_ = -1;
};

}  // namespace tpsim
