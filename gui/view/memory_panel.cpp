#include <algorithm>

#include "cli/memory_table.h"
#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

constexpr auto kUnits = cli::Units::iec;

struct Part {
  const char* letter;
  const char* name;
  std::int64_t bytes;
  std::size_t color;
};

std::vector<Part> parts_of(const MemoryFit& m, const RankMemory& rank) {
  return {{"W", "weights", rank.weights, 0},
          {"K", "KV cache", rank.kv_cache, 1},
          {"A", "activations", rank.activations, 2},
          {"C", "communication", rank.communication, 5},
          {"R", "runtime", m.runtime, 4}};
}

void memory_bar(Ui& ui, const MemoryFit& m, const RankMemory& rank, const std::string& label, std::int64_t most) {
  const float label_width = ui.px(120), height = ui.px(26), aside = ui.px(210);
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float width = std::max(ImGui::GetContentRegionAvail().x - label_width - aside, ui.px(80));
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddText({low.x, low.y + ui.px(4)}, ui.color(ui.theme->text), label.c_str());
  const auto at = [&](std::int64_t bytes) {
    return low.x + label_width + width * static_cast<float>(static_cast<double>(bytes) / static_cast<double>(most));
  };
  std::int64_t sum = 0;
  int pattern = 0;
  for (const Part& part : parts_of(m, rank)) {
    const ImVec2 a(at(sum), low.y), b(at(sum + part.bytes), low.y + height);
    sum += part.bytes;
    list->AddRectFilled(a, b, ui.color(ui.theme->strategy[part.color], 0.6F));
    hatch(list, a, b, pattern++ % 4, ui.color(ui.theme->background, 0.35F), ui.px(7));
    const ImVec2 size = ImGui::CalcTextSize(part.letter);
    if (b.x - a.x > size.x + ui.px(6)) {
      const ImVec2 mid((a.x + b.x - size.x) / 2, a.y + ui.px(4));
      list->AddRectFilled({mid.x - ui.px(3), mid.y}, {mid.x + size.x + ui.px(3), mid.y + size.y},
                          ui.color(ui.theme->background, 0.7F), ui.px(3));
      list->AddText(mid, ui.color(ui.theme->text), part.letter);
    }
    ui.add(label + "/" + part.name, "bar", cli::bytes_text(part.bytes, kUnits), part.name, a, b);
    if (ImGui::IsMouseHoveringRect(a, b) && ImGui::IsWindowHovered())
      ImGui::SetTooltip("%s %s", part.name, cli::bytes_text(part.bytes, kUnits).c_str());
  }
  const float capacity = at(m.capacity);
  if (sum > m.capacity)
    hatch(list, {capacity, low.y}, {at(sum), low.y + height}, 3, ui.color(ui.theme->text, 0.8F), ui.px(6));
  list->AddRect({low.x + label_width, low.y}, {at(most), low.y + height}, ui.color(ui.theme->line));
  list->AddLine({capacity, low.y - ui.px(3)}, {capacity, low.y + height + ui.px(3)}, ui.color(ui.theme->text),
                ui.px(2));
  const std::int64_t spare = m.capacity - sum;
  const std::string text =
      cli::bytes_text(sum, kUnits) + "  " +
      (spare >= 0 ? cli::bytes_text(spare, kUnits) + " free" : "+" + cli::bytes_text(-spare, kUnits) + " over");
  list->AddText({at(most) + ui.px(8), low.y + ui.px(4)}, ui.color(spare >= 0 ? ui.theme->text : ui.theme->side_b),
                text.c_str());
  ImGui::Dummy({0, height + ui.px(6)});
}

std::int64_t sum_of(const MemoryFit& m, const RankMemory& rank) {
  std::int64_t sum = 0;
  for (const Part& part : parts_of(m, rank)) sum += part.bytes;
  return sum;
}

bool alike(const RankMemory& a, const RankMemory& b) {
  return a.weights == b.weights && a.kv_cache == b.kv_cache && a.activations == b.activations &&
         a.communication == b.communication;
}

void memory_bars(Ui& ui, const cli::SizeResult& result) {
  const MemoryFit& m = result.memory;
  std::int64_t most = m.capacity;
  for (const RankMemory& rank : result.ranks) most = std::max(most, sum_of(m, rank));
  for (std::size_t i = 0; i < result.ranks.size();) {
    std::size_t end = i + 1;
    while (end < result.ranks.size() && alike(result.ranks[i], result.ranks[end])) ++end;
    std::string label = end == i + 1 ? "rank " + std::to_string(i)
                                     : "ranks " + std::to_string(i) + "-" + std::to_string(end - 1) + " equal";
    const auto heaviest = static_cast<std::size_t>(heaviest_rank(result.forward));
    if (end - i < result.ranks.size() && heaviest >= i && heaviest < end) label += "  most";
    memory_bar(ui, m, result.ranks[i], label, most);
    i = end;
  }
}

// What each part is, on the heaviest rank, with its pattern.
void legend(const App& app, Ui& ui, const cli::Report& report, const cli::SizeResult& result) {
  const RankMemory& heaviest = result.ranks[static_cast<std::size_t>(heaviest_rank(result.forward))];
  std::int64_t replicated = 0;
  for (const ModuleRow& row : app.modules)
    if (row.depth == 0) replicated += row.replicated;
  int pattern = 0;
  for (const Part& part : parts_of(result.memory, heaviest)) {
    std::string text = std::string(part.letter) + " " + part.name + " " + cli::bytes_text(part.bytes, kUnits);
    if (pattern == 0) text += " (of it " + cli::bytes_text(replicated, kUnits) + " on every rank)";
    if (pattern == 1) text += " (" + cli::grouped(report.scenario.batch * report.scenario.context) + " tokens)";
    if (pattern > 0) ui.flow(ui.px(22) + ImGui::CalcTextSize(text.c_str()).x, 16);
    const ImVec2 low = ImGui::GetCursorScreenPos(), high(low.x + ui.px(16), low.y + ImGui::GetTextLineHeight());
    ImGui::GetWindowDrawList()->AddRectFilled(low, high, ui.color(ui.theme->strategy[part.color], 0.6F));
    hatch(ImGui::GetWindowDrawList(), low, high, pattern++ % 4, ui.color(ui.theme->background, 0.5F), ui.px(5));
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + ui.px(22));
    ui.dim(text);
  }
}

}  // namespace

void memory_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  const cli::Report& report = *app.shown();
  const cli::SizeResult& result = report.results.front();
  ui.text("capacity " + cli::bytes_text(result.memory.capacity, kUnits) + "   room for " +
          cli::grouped(result.memory.max_kv_tokens) + " KV tokens in total");
  legend(app, ui, report, result);
  memory_bars(ui, result);
  const cli::Table table = cli::memory_table(result, kUnits);
  const int clicked = draw_table(ui, app, "parts", table, first_cells(table, 0));
  if (clicked >= 0) select_pattern(app, table.rows[static_cast<std::size_t>(clicked)].cells[0].text);
}

}  // namespace tpsim::gui
