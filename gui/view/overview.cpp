// The strip of headline figures, the start page, the table of keys.
#include <algorithm>
#include <filesystem>

#include "cli/text.h"
#include "gui/view/frame.h"
#include "gui/view/imgui_compat.h"

namespace tpsim::gui {
namespace {

// Where a click on each figure leads.
const char* const kExplains[] = {"memory", "timeline", "timeline", "communication", "speed_up", "problems"};

Rgb trend_color(const Ui& ui, Trend trend) {
  switch (trend) {
    case Trend::better: return ui.theme->side_a;
    case Trend::worse: return ui.theme->side_b;
    case Trend::none:
    case Trend::same: break;
  }
  return ui.theme->dim;
}

// `is_old`: figures of before the edit that is being worked out.
void figure_cell(App& app, Ui& ui, const Figure& f, std::size_t index, ImVec2 size, bool is_old) {
  const ImVec2 low = ImGui::GetCursorScreenPos(), high = {low.x + size.x, low.y + size.y};
  ImGui::PushID(static_cast<int>(index));
  const bool pressed = ImGui::InvisibleButton("cell", size);
  const bool hovered = ImGui::IsItemHovered();
  ImGui::PopID();
  ui.add_last(f.name, "figure", f.value, f.difference);
  ImDrawList* list = ImGui::GetWindowDrawList();
  const Rgb problem = ui.theme->strategy[7];
  list->AddRectFilled(low, high, ui.color(hovered ? ui.theme->raised : ui.theme->panel), ui.px(5));
  if (f.is_bad) list->AddRectFilled(low, {low.x + ui.px(5), high.y}, ui.color(problem), ui.px(3));
  list->PushClipRect(low, high, true);
  const float x = low.x + ui.px(13), line = ImGui::GetTextLineHeight(), room = size.x - ui.px(18);
  const auto put = [&](float y, ImFont* font, float factor, Rgb rgb, const std::string& text) {
    const float wanted = font_size(font) * factor;
    const float width = font->CalcTextSizeA(wanted, 1e9F, 0, text.c_str()).x;
    const float smaller = width > room ? std::max(room / width, 0.6F) : 1;
    list->AddText(font, wanted * smaller, {x, y}, ui.color(rgb), text.c_str());
  };
  put(low.y + ui.px(5), ui.fonts.regular, 1, ui.theme->dim, f.name + (f.is_bad ? "  !" : ""));
  put(low.y + ui.px(6) + line, ui.fonts.bold, 1.15F, is_old ? ui.theme->dim : ui.theme->text, f.value);
  put(low.y + ui.px(12) + 2 * line, ui.fonts.regular, 1, trend_color(ui, f.trend),
      f.difference.empty() ? "B is the same" : "vs B  " + f.difference);
  list->PopClipRect();
  ui.tip(f.explanation);
  if (pressed) app.view.bottom = kExplains[index];
}

// Runs over the strip while an edit is being worked out.
void work_bar(Ui& ui) {
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float width = ImGui::GetContentRegionAvail().x, at = static_cast<float>(ImGui::GetFrameCount() % 60) / 60;
  ImGui::GetWindowDrawList()->AddRectFilled({low.x + width * at * 0.8F, low.y - ui.px(4)},
                                            {low.x + width * (at * 0.8F + 0.2F), low.y - ui.px(1)},
                                            ui.color(ui.theme->accent));
}

void open_builtin(App& app, const std::string& id) {
  Edit edit{"open " + id, app.document()};
  edit.next.model = id;
  apply(app, std::move(edit));
}

}  // namespace

void kpi_strip(App& app, Ui& ui) {
  const PathScope scope(ui, "KPI");
  const cli::Report* a = app.results.a.report ? app.results.a.report.get() : app.results.shown();
  if (a == nullptr) {
    no_data(app, ui);
    return;
  }
  const bool other = app.results.b.report && app.results.b.key != app.results.a.key;
  const auto figures = headline_figures(*a, other ? app.results.b.report.get() : nullptr, app.document().suppressed);
  static constexpr float shares[] = {0.2F, 0.18F, 0.25F, 0.12F, 0.12F, 0.13F};
  const bool is_old = !is_current(app.results, app.document());
  if (is_old) work_bar(ui);
  const float gap = ui.px(6), width = ImGui::GetContentRegionAvail().x - 5 * gap,
              height = 3 * ImGui::GetTextLineHeight() + ui.px(18);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (i > 0) ImGui::SameLine(0, gap);
    figure_cell(app, ui, figures[i], i, {width * shares[i], height}, is_old);
  }
}

void start_page(App& app, Ui& ui) {
  const PathScope scope(ui, "Start");
  ImGui::Dummy({0, ui.px(50)});
  ImGui::Indent(ui.px(60));
  push_font(ui.fonts.bold);
  ui.text("tpsim: what a tensor-parallel plan means, costs and does");
  ImGui::PopFont();
  ui.dim("Drop a config.json, model folder, plan, trace, result or project anywhere.");
  ImGui::Dummy({0, ui.px(16)});
  if (ui.button("open", "Open...   Ctrl+O")) perform(app, Action::open);
  ImGui::SameLine();
  if (ui.button("try", "Try: Llama-3.1-70B on 4 x H100")) open_builtin(app, "meta-llama/Llama-3.1-70B");
  ImGui::SameLine();
  if (ui.button("keys", "Keys   F1")) perform(app, Action::help);
  ImGui::Dummy({0, ui.px(16)});
  if (!app.recent.empty()) ui.heading("Recent");
  std::error_code failed;
  for (const std::string& path : app.recent) {
    const bool there = std::filesystem::exists(path, failed);
    if (ui.selectable(path.c_str(), path + (there ? "" : "   (missing)"), false) && there) open_path(app, path);
  }
  ui.heading("Built-in models");
  ui.input_text("filter", "filter", app.view.model_filter, ui.px(360));
  ImGui::BeginChild("models", {ui.px(560), 0});
  for (const std::string& id : app.model_ids)
    if (fuzzy_score(app.view.model_filter, id) && ui.selectable(id.c_str(), id, false)) open_builtin(app, id);
  ImGui::EndChild();
  ImGui::Unindent(ui.px(60));
}

void keys_panel(App& app, Ui& ui) {
  ui.wrapped(
      "Letters act while no text field has the focus. Space, held, shows the baseline B in every panel. Screen readers "
      "cannot read this window: tpsim report and compare give the same content as text. Keys of your own stand in "
      "$XDG_CONFIG_HOME/tpsim/keys.json; the export panel writes a file to start from.",
      ui.theme->dim);
  if (!ImGui::BeginTable("keys", 2, ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit)) return;
  for (const Binding& b : bindings()) {
    ImGui::TableNextRow();
    ImGui::TableSetColumnIndex(0);
    const std::string keys(keys_of(app.keys, b));
    ui.text(keys.empty() ? "(by name)" : keys);
    ImGui::TableSetColumnIndex(1);
    ui.text(std::string(b.name));
  }
  ImGui::EndTable();
}

}  // namespace tpsim::gui
