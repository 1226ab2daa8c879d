// Collectives: totals and volumes by operation, and every one of them.
#include <algorithm>
#include <map>

#include "cli/collective_rows.h"
#include "cli/comm_table.h"
#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

struct Volume {
  std::string phase, op;
  double wire = 0, seconds = 0;  // per rank, in the unit that is chosen
  std::size_t color = 0;
};

// What a total is divided by.
double parts_of(const App& app, bool is_prefill) {
  const cli::Scenario& s = app.shown()->scenario;
  switch (app.view.volume) {
    case VolumeUnit::step: return 1;
    case VolumeUnit::layer: {
      std::int64_t layers = 0;
      for (const cli::LayerGroup& group : app.shown()->layers) layers += group.count;
      return static_cast<double>(std::max<std::int64_t>(layers, 1));
    }
    case VolumeUnit::token: return static_cast<double>(is_prefill ? s.batch * s.prompt : s.batch);
  }
  return 1;
}

std::vector<Volume> volumes_of(const App& app, const cli::SizeResult& result) {
  std::vector<Volume> list;
  const auto add = [&](const char* phase, const std::optional<cli::PhaseResult>& found, std::size_t color) {
    if (!found) return;
    std::map<std::string, Volume> by_op;
    const double parts = parts_of(app, color == 0);
    for (const cli::CollectiveRow& row : cli::collective_rows(found->analysis, found->time)) {
      Volume& v = by_op[to_string(row.op)];
      v.wire += static_cast<double>(row.wire_bytes_per_rank * row.count) / parts;
      v.seconds += row.time.count() * static_cast<double>(row.count) / parts;
    }
    for (auto& [op, v] : by_op) list.push_back({phase, op, v.wire, v.seconds, color});
  };
  add("prefill", result.prefill, 0);
  add("decode", result.decode, 1);
  return list;
}

void volume_bars(const App& app, Ui& ui, const cli::SizeResult& result) {
  const auto list = volumes_of(app, result);
  double most = 0;
  for (const Volume& v : list) most = std::max(most, v.seconds);
  const float names = ui.px(150), height = ui.px(16);
  for (const Volume& v : list) {
    const ImVec2 low = ImGui::GetCursorScreenPos();
    const float room = std::max(ImGui::GetContentRegionAvail().x - names - ui.px(190), ui.px(60));
    const float width = most > 0 ? std::max(room * static_cast<float>(v.seconds / most), ui.px(1)) : ui.px(1);
    ImDrawList* const draw = ImGui::GetWindowDrawList();
    const ImVec2 a(low.x + names, low.y + ui.px(1)), b(a.x + width, a.y + height - ui.px(2));
    draw->AddText(low, ui.color(ui.theme->text), (v.phase + "  " + v.op).c_str());
    draw->AddRectFilled(a, b, ui.color(v.color == 0 ? ui.theme->side_a : ui.theme->side_b, 0.6F), ui.px(2));
    hatch(draw, a, b, static_cast<int>(v.color) + 1, ui.color(ui.theme->background, 0.4F), ui.px(6));
    const std::string text = cli::time_text(v.seconds) + "  " +
                             cli::bytes_text(static_cast<std::int64_t>(v.wire), cli::Units::iec) + " on wire";
    draw->AddText({b.x + ui.px(8), low.y}, ui.color(ui.theme->dim), text.c_str());
    ui.add("volume/" + v.phase + "/" + v.op, "bar", text, "", a, b);
    ImGui::Dummy({0, height + ui.px(2)});
  }
}

void unit_choice(App& app, Ui& ui) {
  for (const auto& [name, unit] : {std::pair<const char*, VolumeUnit>{"per step", VolumeUnit::step},
                                   {"per layer", VolumeUnit::layer},
                                   {"per token", VolumeUnit::token}}) {
    if (unit != VolumeUnit::step) ui.flow_button(name);
    if (ui.button(name, name, true, "of the bars", app.view.volume == unit)) app.view.volume = unit;
  }
}

// Shows the first of them in the timeline, too.
void pick_in_timeline(App& app, const std::string& phase, const std::string& op, const std::string& module) {
  const bool prefill = phase == "prefill";
  const auto& timeline = prefill ? app.prefill : app.decode;
  if (!timeline || timeline->tracks.size() < 2) return;
  const int row = find_module(app.modules, module);
  const auto& spans = timeline->tracks[1].spans;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (timeline->texts[static_cast<std::size_t>(spans[i].text)] != op) continue;
    if (find_module(app.modules, timeline->texts[static_cast<std::size_t>(spans[i].module)]) != row) continue;
    app.view.phase = prefill ? PhaseShown::prefill : PhaseShown::decode;
    app.view.time.picked = PickedSpan{LaneSide::predicted, 1, i};
    return;
  }
}

}  // namespace

void communication_panel(App& app, Ui& ui) {
  if (no_data(app, ui, true)) return;
  const cli::SizeResult& result = app.shown()->results.front();
  unit_choice(app, ui);
  for (const auto& [name, phase] :
       {std::pair<const char*, const std::optional<cli::PhaseResult>*>{"prefill", &result.prefill},
        {"decode", &result.decode}}) {
    if (!*phase) continue;
    const std::string text = std::string(name) + "  " + cli::time_text((*phase)->time.communication.count()) + " of " +
                             cli::time_text((*phase)->time.total.count()) + " (" + percent_text((*phase)->comm_share) +
                             ")";
    ui.flow(ImGui::CalcTextSize(text.c_str()).x, 18);
    ui.text(text);
  }
  const cli::Table table = cli::comm_table(result, cli::Units::iec);
  if (table.rows.empty()) {
    ui.empty_state("No collectives: nothing is cut at TP " + std::to_string(result.tp) + ".");
    return;
  }
  volume_bars(app, ui, result);
  const int clicked = draw_table(ui, app, "collectives", table, first_cells(table, 2));
  ui.tip("algbw = payload / time; busbw = algbw x the ring's share, as nccl-tests defines them");
  if (clicked < 0) return;
  const auto& cells = table.rows[static_cast<std::size_t>(clicked)].cells;
  select_pattern(app, cells[2].text);
  pick_in_timeline(app, cells[0].text, cells[1].text, cells[2].text);
}

}  // namespace tpsim::gui
