// Tables for people.
#include <algorithm>

#include "cli/table.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

std::string first_line(const std::string& title) { return title.substr(0, title.find('\n')); }
std::string second_line(const std::string& title) {
  const auto end = title.find('\n');
  return end == std::string::npos ? std::string() : title.substr(end + 1);
}

// The columns that people see at this width, with the extent of each.
struct Layout {
  std::vector<std::size_t> columns;
  std::vector<std::size_t> widths;
  bool two_header_lines = false;

  std::size_t total() const {
    std::size_t sum = 0;
    for (const auto w : widths) sum += w + 1;
    return sum;
  }
};

std::size_t extent(const Table& table, std::size_t column) {
  const std::string& title = table.columns[column].title;
  std::size_t width = std::max(display_width(first_line(title)), display_width(second_line(title)));
  for (const Row& row : table.rows)
    if (row.note.empty() || column == 0) width = std::max(width, display_width(row.cells[column].text));
  return width;
}

Layout lay_out(const Table& table, int width) {
  Layout layout;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].hide_below > width) continue;
    layout.columns.push_back(i);
    layout.widths.push_back(extent(table, i));
    layout.two_header_lines |= table.columns[i].title.find('\n') != std::string::npos;
  }
  return layout;
}

void end_line(std::string& out) {
  while (out.ends_with(' ')) out.pop_back();
  out += '\n';
}

void append_header(std::string& out, const Table& table, const Layout& layout) {
  for (int line = layout.two_header_lines ? 0 : 1; line < 2; ++line) {
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
      const Column& column = table.columns[layout.columns[i]];
      const bool single = column.title.find('\n') == std::string::npos;
      const std::string text = line == 1 ? (single ? column.title : second_line(column.title))
                                         : (single ? std::string() : first_line(column.title));
      out += " " + padded(text, layout.widths[i], column.right_aligned);
    }
    end_line(out);
  }
}

void append_cell(std::string& out, const Cell& c, std::size_t width, bool right_aligned, const Terminal& terminal) {
  const std::string space(width - std::min(width, display_width(c.text)), ' ');
  out += " " + (right_aligned ? space : "") + styled(c.text, c.style, terminal) + (right_aligned ? "" : space);
}

std::string grid(const Table& table, const Layout& layout, const Terminal& terminal, bool header) {
  std::string out;
  if (header) append_header(out, table, layout);
  for (const Row& row : table.rows) {
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
      if (i > 0 && !row.note.empty()) {
        out += "  " + row.note;
        break;
      }
      const std::size_t column = layout.columns[i];
      append_cell(out, row.cells[column], layout.widths[i], table.columns[column].right_aligned, terminal);
    }
    end_line(out);
  }
  return out;
}

std::string block_label(const Column& column) {
  std::string label = column.title;
  std::replace(label.begin(), label.end(), '\n', ' ');
  return label.empty() ? column.field : label;
}

void append_block(std::string& out, const Table& table, const Row& row, std::size_t label_width, int width,
                  const Terminal& terminal) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    if (column.hide_below == kOnlyForPrograms) continue;
    if (i > 0 && !row.note.empty()) {
      const auto room = static_cast<std::size_t>(width) - 2;
      for (const auto& line : wrapped(row.note, room)) out += "  " + line + "\n";
      return;
    }
    const std::string label = block_label(column);
    const std::size_t room = static_cast<std::size_t>(width) - std::min<std::size_t>(label_width + 4, 15);
    const std::string text = shortened(row.cells[i].text, room);
    out += (i == 0 ? "" : "  ") + padded(label, i == 0 ? 0 : label_width) + " " +
           styled(text, i == 0 ? Style::bold : row.cells[i].style, terminal) + "\n";
  }
}

std::string blocks(const Table& table, const Terminal& terminal) {
  std::size_t label_width = 0;
  for (const Column& column : table.columns)
    if (column.hide_below != kOnlyForPrograms) label_width = std::max(label_width, display_width(block_label(column)));
  std::string out;
  for (const Row& row : table.rows) append_block(out, table, row, label_width, terminal.width, terminal);
  return out;
}

}  // namespace

std::string to_text(const Table& table, const Terminal& terminal, bool header) {
  const Layout layout = lay_out(table, terminal.width);
  const bool too_wide = layout.total() > static_cast<std::size_t>(terminal.width);
  if (too_wide || (table.blocks_when_narrow && terminal.width < 80)) return blocks(table, terminal);
  return grid(table, layout, terminal, header);
}

}  // namespace tpsim::cli
