#include <algorithm>
#include <numeric>

#include "gui/view/imgui_compat.h"
#include "gui/view/ui.h"

namespace tpsim::gui {
namespace {

bool shown(const cli::Column& column, const std::vector<std::string>& hidden) {
  return column.hide_below < cli::kOnlyForPrograms &&
         std::find(hidden.begin(), hidden.end(), column.field) == hidden.end();
}

bool matches(const cli::Row& row, const std::string& filter) {
  if (filter.empty()) return true;
  return std::any_of(row.cells.begin(), row.cells.end(),
                     [&](const cli::Cell& c) { return c.text.find(filter) != std::string::npos; });
}

// Values without a figure come last.
bool less(const cli::Cell& a, const cli::Cell& b) {
  const auto number = [](const cli::Cell& c) -> std::optional<double> {
    if (const auto* i = std::get_if<std::int64_t>(&c.value)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<cli::Decimal>(&c.value)) return d->value;
    return std::nullopt;
  };
  const auto x = number(a), y = number(b);
  if (x && y) return *x < *y;
  if (x.has_value() != y.has_value()) return x.has_value();
  return a.text < b.text;
}

std::vector<std::size_t> ordered(const cli::Table& table, const TableState& state) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < table.rows.size(); ++i)
    if (matches(table.rows[i], state.filter)) order.push_back(i);
  const auto column = static_cast<std::size_t>(state.sort_column);
  if (state.sort_column < 0 || column >= table.columns.size()) return order;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const cli::Cell &x = table.rows[a].cells[column], &y = table.rows[b].cells[column];
    return state.descending ? less(y, x) : less(x, y);
  });
  return order;
}

void header(Ui& ui, const cli::Table& table, const std::vector<std::size_t>& columns, TableState& state) {
  ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const cli::Column& column = table.columns[columns[i]];
    ImGui::TableSetColumnIndex(static_cast<int>(i));
    const bool sorted = state.sort_column == static_cast<int>(columns[i]);
    const std::string label = column.title + (sorted ? (state.descending ? " v" : " ^") : "");
    ImGui::PushID(static_cast<int>(i));
    ImGui::TableHeader(label.c_str());
    const bool pressed = ImGui::IsItemClicked();
    ImGui::PopID();
    ui.add_last("header/" + column.field, "header", label, "");
    if (!pressed) continue;
    state.descending = sorted && !state.descending;
    state.sort_column = static_cast<int>(columns[i]);
  }
}

void put_cell(Ui& ui, const cli::Column& column, const std::string& text) {
  if (column.right_aligned) {
    const float free = ImGui::GetContentRegionAvail().x - ImGui::CalcTextSize(text.c_str()).x;
    if (free > 0) ImGui::SetCursorPosX(ImGui::GetCursorPosX() + free);
  }
  ui.text(text);
}

}  // namespace

std::vector<std::string> first_cells(const cli::Table& table, std::size_t column) {
  std::vector<std::string> out;
  for (const cli::Row& row : table.rows) out.push_back(row.cells[column].text);
  return out;
}

int draw_table(Ui& ui, App& app, const char* id, const cli::Table& table, const std::vector<std::string>& paths,
               int selected, const std::vector<std::string>& hidden) {
  TableState& state = app.view.tables[id];
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (shown(table.columns[i], hidden)) columns.push_back(i);
  const PathScope scope(ui, id);
  const ImGuiTableFlags flags = ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersInnerV | ImGuiTableFlags_ScrollY |
                                ImGuiTableFlags_ScrollX | ImGuiTableFlags_SizingFixedFit;
  int clicked = -1;
  if (!ImGui::BeginTable("table", static_cast<int>(columns.size()), flags)) return clicked;
  for (const std::size_t c : columns) ImGui::TableSetupColumn(table.columns[c].title.c_str());
  ImGui::TableSetupScrollFreeze(0, 1);
  header(ui, table, columns, state);
  const auto order = ordered(table, state);
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(order.size()));
  while (clipper.Step())
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      const std::size_t r = order[static_cast<std::size_t>(i)];
      ImGui::TableNextRow();
      ImGui::TableSetColumnIndex(0);
      ImGui::PushID(static_cast<int>(r));
      if (ImGui::Selectable("##row", selected == static_cast<int>(r),
                            ImGuiSelectableFlags_SpanAllColumns | kSelectableOverlap))
        clicked = static_cast<int>(r);
      ui.add_last(r < paths.size() ? paths[r] : std::to_string(r), "row", table.rows[r].cells.front().text, "");
      ImGui::SameLine(0, 0);
      for (std::size_t c = 0; c < columns.size(); ++c) {
        ImGui::TableSetColumnIndex(static_cast<int>(c));
        put_cell(ui, table.columns[columns[c]], table.rows[r].cells[columns[c]].text);
      }
      ImGui::PopID();
    }
  ImGui::EndTable();
  return clicked;
}

}  // namespace tpsim::gui
