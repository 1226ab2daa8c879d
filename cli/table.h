// A table of typed cells, and its forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/json_writer.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "core/result.h"

namespace tpsim::cli {

struct Decimal {
  double value = 0;
  int decimals = 3;
};

struct Cell {
  std::variant<std::monostate, std::int64_t, Decimal, bool, std::string> value;  // what programs read
  std::string text;                                                              // what people read
  Style style = Style::plain;
};
Cell cell(std::int64_t value);
Cell cell(std::string text, Style style = Style::plain);
Cell cell(std::int64_t value, std::string text);
Cell cell(double value, int decimals, std::string text);
Cell no_value();  // "-"

inline constexpr int kOnlyForPrograms = 1 << 20;  // a hide_below that no width reaches

struct Column {
  std::string field;  // name for programs ("weights_bytes"); empty = the column is for people only
  std::string title;  // over the column
  bool right_aligned = true;
  int hide_below = 0;      // columns of width below which people do not see it
  std::string group = {};  // over this and its neighbours of the same group
  bool elastic = false;    // prose, which may be cut short
};

struct Row {
  std::vector<Cell> cells;
  std::string note;  // stands in place of the cells after the first, where a row has no figures
};

struct Table {
  std::vector<Column> columns;
  std::vector<Row> rows;
  bool blocks_when_narrow = false;  // below 80 columns each row becomes a block, even if the table would fit
};

// --fields and --sort. Errors: names that the table has not, with the nearest.
Result<void> select_fields(Table& table, const std::vector<std::string>& fields);
Result<void> sort_rows(Table& table, std::string_view field);
std::vector<std::string> field_names(const Table& table);

// For people: columns by width, rows never wrapped. Where there is no room, prose is cut short, then columns go, those
// of the largest hide_below first; if that does not help, each row becomes a block.
std::string to_text(const Table& table, const Terminal& terminal, bool header);
// For programs: all fields.
std::string to_plain(const Table& table, bool header);
std::string to_csv(const Table& table, bool header);
std::string to_ndjson(const Table& table);
std::string to_markdown(const Table& table);
std::string html_table(const Table& table);  // the element alone
std::string to_html(const Table& table, std::string_view title);
void write_rows(const Table& table, JsonWriter& json);  // an array of flat objects

}  // namespace tpsim::cli
