#include "cli/table.h"

#include <algorithm>
#include <utility>

#include "cli/text.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

Error unknown_field(std::string_view field, const Table& table) {
  const auto names = field_names(table);
  Error error = usage_error("no field \"" + std::string(field) + "\"");
  const auto near = nearest(field, names);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.details.push_back("fields: " + joined(names, " "));
  return error;
}

// Index of the column, or its size where there is none.
std::size_t column_of(const Table& table, std::string_view field) {
  const auto it = std::find_if(table.columns.begin(), table.columns.end(),
                               [&](const Column& c) { return !c.field.empty() && c.field == field; });
  return static_cast<std::size_t>(it - table.columns.begin());
}

double number_of(const Cell& c) {
  if (const auto* n = std::get_if<std::int64_t>(&c.value)) return static_cast<double>(*n);
  if (const auto* d = std::get_if<Decimal>(&c.value)) return d->value;
  if (const auto* b = std::get_if<bool>(&c.value)) return *b ? 1 : 0;
  return 0;
}

bool less(const Cell& a, const Cell& b) {
  const auto* const x = std::get_if<std::string>(&a.value);
  const auto* const y = std::get_if<std::string>(&b.value);
  if (x != nullptr && y != nullptr) return *x < *y;
  return number_of(a) < number_of(b);
}

}  // namespace

Cell cell(std::int64_t value) { return {value, std::to_string(value), Style::plain}; }
Cell cell(std::string text, Style style) { return {text, text, style}; }
Cell cell(std::int64_t value, std::string text) { return {value, std::move(text), Style::plain}; }
Cell cell(double value, int decimals, std::string text) {
  return {Decimal{value, decimals}, std::move(text), Style::plain};
}
Cell no_value() { return {std::monostate(), "-", Style::plain}; }

Result<void> select_fields(Table& table, const std::vector<std::string>& fields) {
  std::vector<std::size_t> order;
  for (const auto& field : fields) {
    order.push_back(column_of(table, field));
    if (order.back() == table.columns.size()) return unknown_field(field, table);
  }
  Table selected;
  for (const auto i : order) {
    Column column = table.columns[i];
    column.hide_below = 0;
    if (column.title.empty()) column.title = column.field;
    selected.columns.push_back(std::move(column));
  }
  for (Row& row : table.rows) {
    Row kept;
    for (const auto i : order) kept.cells.push_back(row.cells[i]);
    selected.rows.push_back(std::move(kept));
  }
  table = std::move(selected);
  return {};
}

Result<void> sort_rows(Table& table, std::string_view field) {
  const bool descending = field.starts_with('-');
  const std::size_t column = column_of(table, descending ? field.substr(1) : field);
  if (column == table.columns.size()) return unknown_field(descending ? field.substr(1) : field, table);
  std::stable_sort(table.rows.begin(), table.rows.end(), [&](const Row& a, const Row& b) {
    return descending ? less(b.cells[column], a.cells[column]) : less(a.cells[column], b.cells[column]);
  });
  return {};
}

std::vector<std::string> field_names(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns)
    if (!column.field.empty()) names.push_back(column.field);
  return names;
}

}  // namespace tpsim::cli
