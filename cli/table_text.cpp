// Tables for people.
#include <algorithm>
#include <optional>
#include <utility>

#include "cli/table.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

// The columns that people see at this width, with the extent of each.
struct Layout {
  std::vector<std::size_t> columns;
  std::vector<std::size_t> widths;
  bool groups = false;
  std::size_t gap = 2;  // between columns

  std::size_t total() const {
    std::size_t sum = 1;
    for (const auto w : widths) sum += w + gap;
    return sum - gap;
  }
};

std::size_t extent(const Table& table, std::size_t column) {
  std::size_t width = display_width(table.columns[column].title);
  for (const Row& row : table.rows)
    if (row.note.empty() || column == 0) width = std::max(width, display_width(row.cells[column].text));
  return width;
}

// The index after the last column of the group that starts at `begin`.
std::size_t group_end(const Table& table, const std::vector<std::size_t>& columns, std::size_t begin) {
  const std::string& group = table.columns[columns[begin]].group;
  std::size_t end = begin + 1;
  while (!group.empty() && end < columns.size() && table.columns[columns[end]].group == group) ++end;
  return end;
}

// Widens the last column of each group whose name needs more room than its columns have.
void make_room_for_groups(const Table& table, Layout& layout) {
  for (std::size_t i = 0; i < layout.columns.size();) {
    const std::size_t end = group_end(table, layout.columns, i);
    std::size_t room = layout.gap * (end - i - 1);
    for (std::size_t k = i; k < end; ++k) room += layout.widths[k];
    const std::size_t needed = display_width(table.columns[layout.columns[i]].group);
    layout.groups |= needed > 0;
    if (needed > room) layout.widths[i] += needed - room;
    i = end;
  }
}

constexpr std::size_t kLeastProse = 24;

bool fits(const Layout& layout, int width) { return layout.total() <= static_cast<std::size_t>(width); }

Layout lay_out_columns(const Table& table, std::vector<std::size_t> columns, std::size_t gap) {
  Layout layout;
  layout.columns = std::move(columns);
  layout.gap = gap;
  for (const auto i : layout.columns) {
    const std::size_t natural = extent(table, i);
    layout.widths.push_back(table.columns[i].elastic ? std::min(natural, kLeastProse) : natural);
  }
  make_room_for_groups(table, layout);
  return layout;
}

// Prose takes what the other columns leave.
void stretch_prose(const Table& table, Layout& layout, int width) {
  for (std::size_t i = 0; i < layout.columns.size(); ++i) {
    if (!table.columns[layout.columns[i]].elastic) continue;
    const std::size_t free = static_cast<std::size_t>(width) - layout.total();
    layout.widths[i] = std::min(extent(table, layout.columns[i]), layout.widths[i] + free);
  }
}

// The columns without the least important one; false if all are needed.
bool drop_least(const Table& table, std::vector<std::size_t>& columns) {
  const auto least = std::max_element(columns.begin(), columns.end(), [&](std::size_t a, std::size_t b) {
    return table.columns[a].hide_below < table.columns[b].hide_below;
  });
  if (least == columns.end() || table.columns[*least].hide_below == 0) return false;
  columns.erase(least);
  return true;
}

// A layout that fits the width; none where even the columns that always show need more.
std::optional<Layout> lay_out(const Table& table, int width) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].hide_below <= width) columns.push_back(i);
  do {
    for (const std::size_t gap : {2u, 1u}) {
      Layout layout = lay_out_columns(table, columns, gap);
      if (!fits(layout, width)) continue;
      stretch_prose(table, layout, width);
      return layout;
    }
  } while (drop_least(table, columns));
  return std::nullopt;
}

std::string gap(const Layout& layout, std::size_t column) { return std::string(column == 0 ? 1 : layout.gap, ' '); }

void end_line(std::string& out) {
  while (out.ends_with(' ')) out.pop_back();
  out += '\n';
}

void append_groups(std::string& out, const Table& table, const Layout& layout) {
  for (std::size_t i = 0; i < layout.columns.size();) {
    const std::size_t end = group_end(table, layout.columns, i);
    std::size_t room = layout.gap * (end - i - 1);
    for (std::size_t k = i; k < end; ++k) room += layout.widths[k];
    const Column& column = table.columns[layout.columns[i]];
    out += gap(layout, i) + padded(column.group, room, column.right_aligned && end == i + 1);
    i = end;
  }
  end_line(out);
}

void append_header(std::string& out, const Table& table, const Layout& layout) {
  if (layout.groups) append_groups(out, table, layout);
  for (std::size_t i = 0; i < layout.columns.size(); ++i) {
    const Column& column = table.columns[layout.columns[i]];
    out += gap(layout, i) + padded(column.title, layout.widths[i], column.right_aligned);
  }
  end_line(out);
}

void append_cell(std::string& out, const Cell& c, std::size_t width, bool right_aligned, const Terminal& terminal) {
  const std::string text = cut_short(c.text, width);
  const std::string space(width - std::min(width, display_width(text)), ' ');
  out += (right_aligned ? space : "") + styled(text, c.style, terminal) + (right_aligned ? "" : space);
}

std::string grid(const Table& table, const Layout& layout, const Terminal& terminal, bool header) {
  std::string out;
  if (header) append_header(out, table, layout);
  for (const Row& row : table.rows) {
    for (std::size_t i = 0; i < layout.columns.size(); ++i) {
      if (i > 0 && !row.note.empty()) {
        out += gap(layout, i) + row.note;
        break;
      }
      const std::size_t column = layout.columns[i];
      out += gap(layout, i);
      append_cell(out, row.cells[column], layout.widths[i], table.columns[column].right_aligned, terminal);
    }
    end_line(out);
  }
  return out;
}

// What people see of a row where there is no room for columns: a label and a text per group or single column.
struct BlockLine {
  std::string label, text;
  Style style = Style::plain;
};

std::vector<BlockLine> block_lines(const Table& table, const Row& row) {
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (table.columns[i].hide_below != kOnlyForPrograms) shown.push_back(i);
  std::vector<BlockLine> lines;
  for (std::size_t i = 0; i < shown.size();) {
    const std::size_t end = group_end(table, shown, i);
    const Column& column = table.columns[shown[i]];
    BlockLine line{column.group.empty() ? column.title : column.group, row.cells[shown[i]].text,
                   row.cells[shown[i]].style};
    if (end == i + 1 && !column.group.empty()) line.label += " " + column.title;
    if (end > i + 1) line.text = column.title + " " + line.text;
    for (std::size_t k = i + 1; k < end; ++k) {
      line.text += ", " + table.columns[shown[k]].title + " " + row.cells[shown[k]].text;
    }
    lines.push_back(std::move(line));
    i = end;
  }
  return lines;
}

void append_block(std::string& out, const Table& table, const Row& row, std::size_t label_width,
                  const Terminal& terminal) {
  const auto lines = block_lines(table, row);
  const auto width = static_cast<std::size_t>(terminal.width);
  out += lines.front().label + " " + styled(shortened(lines.front().text, width), Style::bold, terminal) + "\n";
  if (!row.note.empty()) {
    for (const auto& part : wrapped(row.note, width - 2)) out += "  " + part + "\n";
    return;
  }
  const bool beside = label_width + 4 + 12 <= width;  // else the text goes below its label
  const std::size_t indent = beside ? label_width + 4 : 4;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    out += "  " + padded(lines[i].label, beside ? label_width + 2 : 0);
    std::string before = beside ? std::string() : "\n" + std::string(indent, ' ');
    for (const auto& part : wrapped(lines[i].text, width - indent)) {
      out += before + styled(part, lines[i].style, terminal) + "\n";
      before.assign(indent, ' ');
    }
  }
}

std::string blocks(const Table& table, const Terminal& terminal) {
  std::string out;
  for (const Row& row : table.rows) {
    std::size_t label_width = 0;
    const auto lines = block_lines(table, row);
    for (std::size_t i = 1; i < lines.size(); ++i) label_width = std::max(label_width, display_width(lines[i].label));
    append_block(out, table, row, label_width, terminal);
  }
  return out;
}

}  // namespace

std::string to_text(const Table& table, const Terminal& terminal, bool header) {
  const auto layout = lay_out(table, terminal.width);
  if (!layout || (table.blocks_when_narrow && terminal.width < 80)) return blocks(table, terminal);
  return grid(table, *layout, terminal, header);
}

}  // namespace tpsim::cli
