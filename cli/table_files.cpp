// Tables for programs and documents.
#include "cli/svg.h"
#include "cli/table.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

struct FieldText {
  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(std::int64_t n) const { return std::to_string(n); }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(Decimal d) const {
    std::string text = fixed(d.value, d.decimals);
    return text == "-" ? std::string() : text;
  }
};

struct JsonValue {
  JsonWriter& json;
  void operator()(std::monostate) const { json.null(); }
  void operator()(std::int64_t n) const { json.value(n); }
  void operator()(bool b) const { json.value(b); }
  void operator()(const std::string& text) const { json.value(text); }
  void operator()(Decimal d) const { json.value(d.value, d.decimals); }
};

std::string field_text(const Cell& c) { return std::visit(FieldText(), c.value); }

template <class Visit>
void for_each_field(const Table& table, const Visit& visit) {
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (!table.columns[i].field.empty()) visit(i);
}

std::string csv_quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string full_title(const Column& column) {
  return column.group.empty() ? column.title : column.group + ": " + column.title;
}

std::string markdown_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' || c == '*' ? std::string("\\") + c : std::string(1, c);
  return out;
}

// Columns that people see, whatever the width.
template <class Visit>
void for_each_shown(const Table& table, const Visit& visit) {
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].hide_below != kOnlyForPrograms) visit(i);
}

void write_row(const Table& table, const Row& row, JsonWriter& json) {
  json.begin_object();
  for_each_field(table, [&](std::size_t i) {
    json.key(table.columns[i].field);
    std::visit(JsonValue{json}, row.cells[i].value);
  });
  json.end_object();
}

}  // namespace

std::string to_plain(const Table& table, bool header) {
  Table shown;
  shown.columns.clear();
  for_each_field(table, [&](std::size_t i) {
    shown.columns.push_back({table.columns[i].field, table.columns[i].field, table.columns[i].right_aligned, 0});
  });
  for (const Row& row : table.rows) {
    Row plain;
    for_each_field(table, [&](std::size_t i) {
      const std::string text = field_text(row.cells[i]);
      plain.cells.push_back(cell(text.empty() ? "-" : text));
    });
    shown.rows.push_back(std::move(plain));
  }
  Terminal unlimited;
  unlimited.width = 1 << 20;
  return to_text(shown, unlimited, header);
}

std::string to_csv(const Table& table, bool header) {
  std::string out;
  const auto line = [&](const auto& text_of) {
    bool first = true;
    for_each_field(table, [&](std::size_t i) {
      if (!first) out += ',';
      first = false;
      out += csv_quoted(text_of(i));
    });
    out += '\n';
  };
  if (header) line([&](std::size_t i) { return table.columns[i].field; });
  for (const Row& row : table.rows) line([&](std::size_t i) { return field_text(row.cells[i]); });
  return out;
}

std::string to_ndjson(const Table& table) {
  std::string out;
  for (const Row& row : table.rows) {
    JsonWriter json(out, 0);
    write_row(table, row, json);
    out += '\n';
  }
  return out;
}

void write_rows(const Table& table, JsonWriter& json) {
  json.begin_array();
  for (const Row& row : table.rows) write_row(table, row, json);
  json.end_array();
}

std::string to_markdown(const Table& table) {
  std::string out = "|", rule = "|";
  for_each_shown(table, [&](std::size_t i) {
    out += " " + full_title(table.columns[i]) + " |";
    rule += table.columns[i].right_aligned ? "---:|" : "---|";
  });
  out += "\n" + rule + "\n";
  for (const Row& row : table.rows) {
    out += "|";
    for_each_shown(table, [&](std::size_t i) {
      const bool noted = !row.note.empty() && i > 0;
      out += " " + markdown_escaped(noted ? (i == 1 ? row.note : "") : row.cells[i].text) + " |";
    });
    out += "\n";
  }
  return out;
}

namespace {

const char* class_of(Style style) {
  switch (style) {
    case Style::red: return "no";
    case Style::bold: return "bold";
    case Style::yellow: return "warn";
    case Style::plain:
    case Style::cyan:
    case Style::dim: break;
  }
  return "";
}

std::string html_cell(const Column& column, const std::string& text, Style style) {
  std::string classes = column.right_aligned ? "r" : "";
  if (const std::string more = class_of(style); !more.empty()) classes += (classes.empty() ? "" : " ") + more;
  return (classes.empty() ? "<td>" : "<td class=\"" + classes + "\">") + markup_escaped(text) + "</td>";
}

// Neighbours of one group share a heading.
std::string html_groups(const Table& table) {
  std::vector<std::pair<std::string, int>> groups;  // with the number of columns below
  for_each_shown(table, [&](std::size_t i) {
    const std::string& group = table.columns[i].group;
    if (groups.empty() || groups.back().first != group) groups.emplace_back(group, 0);
    ++groups.back().second;
  });
  std::string out;
  bool any = false;
  for (const auto& [group, columns] : groups) {
    any |= !group.empty();
    out += "<th colspan=\"" + std::to_string(columns) + "\">" + markup_escaped(group) + "</th>";
  }
  return any ? "<tr>" + out + "</tr>\n" : "";
}

}  // namespace

std::string html_table(const Table& table) {
  std::string out = "<table>\n<thead>\n" + html_groups(table) + "<tr>";
  for_each_shown(table, [&](std::size_t i) {
    out += (table.columns[i].right_aligned ? "<th class=\"r\">" : "<th>") + markup_escaped(table.columns[i].title) +
           "</th>";
  });
  out += "</tr>\n</thead>\n<tbody>\n";
  for (const Row& row : table.rows) {
    out += "<tr>";
    for_each_shown(table, [&](std::size_t i) {
      const bool noted = !row.note.empty() && i > 0;
      out += html_cell(table.columns[i], noted ? (i == 1 ? row.note : "") : row.cells[i].text, row.cells[i].style);
    });
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string to_html(const Table& table, std::string_view title) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + markup_escaped(title) +
         "</title>\n<style>table{border-collapse:collapse;font-family:monospace}td,th{padding:2px 8px}"
         ".r{text-align:right}.no{color:#b00}.bold{font-weight:bold}tr:nth-child(even){background:#eee}</style></"
         "head>\n"
         "<body><h1>" +
         markup_escaped(title) + "</h1>\n" + html_table(table) + "</body></html>\n";
}

}  // namespace tpsim::cli
