#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "gui/model/plan_markers.h"
#include "gui/view/frame.h"
#include "gui/view/imgui_compat.h"

namespace tpsim::gui {
namespace {

Rgb marker_color(const Ui& ui, const Marker& m) { return m.is_error ? ui.theme->side_b : ui.theme->strategy[5]; }

// A wavy line below [low.x, low.x + width].
void underline(Ui& ui, ImVec2 low, float width, ImU32 color) {
  ImDrawList* const list = ImGui::GetWindowDrawList();
  const float step = ui.px(3), height = ui.px(1.5F);
  for (float x = 0; x < width; x += 2 * step) {
    const float middle = std::min(x + step, width), end = std::min(x + 2 * step, width);
    list->AddLine({low.x + x, low.y + height}, {low.x + middle, low.y - height}, color, ui.px(1.4F));
    list->AddLine({low.x + middle, low.y - height}, {low.x + end, low.y + height}, color, ui.px(1.4F));
  }
}

void gutter(Ui& ui, const std::vector<Marker>& markers, int lines, float line_height) {
  ImDrawList* const list = ImGui::GetWindowDrawList();
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float top = low.y + ImGui::GetStyle().FramePadding.y, width = ui.px(44);
  for (int line = 1; line <= lines; ++line) {
    const float y = top + line_height * static_cast<float>(line - 1);
    const auto m = std::find_if(markers.begin(), markers.end(), [&](const Marker& x) { return x.line == line; });
    if (m != markers.end()) {
      const ImVec2 a(low.x, y), b(low.x + width - ui.px(4), y + line_height);
      list->AddRectFilled(a, b, ui.color(marker_color(ui, *m), 0.4F));
      ui.add("marker/" + std::to_string(line), "marker", m->message, m->is_error ? "error" : "warning", a, b);
      if (ImGui::IsMouseHoveringRect(a, b)) ImGui::SetTooltip("%s", m->message.c_str());
    }
    const std::string text = std::to_string(line) + (m == markers.end() ? "" : m->is_error ? " E" : " !");
    list->AddText(ui.fonts.mono, font_size(ui.fonts.mono), {low.x + ui.px(6), y}, ui.color(ui.theme->dim),
                  text.c_str());
  }
  ImGui::Dummy({width, line_height * static_cast<float>(lines)});
}

void underlines(Ui& ui, const std::vector<Marker>& markers, ImVec2 text_low, float line_height) {
  const float letter = ImGui::CalcTextSize("x").x;
  for (const Marker& m : markers)
    underline(
        ui,
        {text_low.x + letter * static_cast<float>(m.column - 1), text_low.y + line_height * static_cast<float>(m.line)},
        letter * static_cast<float>(std::max(m.length, 1)), ui.color(marker_color(ui, m)));
}

bool editor(Ui& ui, std::string& text, const std::vector<Marker>& markers) {
  const int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  ImGui::BeginChild("text");
  push_font(ui.fonts.mono);
  const float line_height = ImGui::GetTextLineHeight();
  gutter(ui, markers, lines, line_height);
  ImGui::SameLine(0, 0);
  const ImVec2 low = ImGui::GetCursorScreenPos(), padding = ImGui::GetStyle().FramePadding;
  const ImVec2 size(ImGui::GetContentRegionAvail().x, std::max(line_height * static_cast<float>(lines + 1) + ui.px(10),
                                                               ImGui::GetContentRegionAvail().y));
  ImGui::GetWindowDrawList()->AddRectFilled(low, {low.x + size.x, low.y + size.y}, ui.color(ui.theme->raised),
                                            ui.px(4));
  underlines(ui, markers, {low.x + padding.x, low.y + padding.y}, line_height);
  ImGui::PushStyleColor(ImGuiCol_FrameBg, 0);  // what is drawn below the text is to be seen
  const bool changed = ImGui::InputTextMultiline("##plan", &text, size, ImGuiInputTextFlags_AllowTabInput);
  ImGui::PopStyleColor();
  ui.add_last("text", "editor", "", text);
  ImGui::PopFont();
  ImGui::EndChild();
  return changed;
}

void use_text(App& app, const std::string& text, const std::string& name) {
  app.view.plan_draft.reset();
  if (read_plan(text, name))
    apply(app, edit_plan_text(app.document(), text), "plan text");
  else
    app.view.plan_draft = text;
}

}  // namespace

void plan_text_panel(App& app, Ui& ui) {
  const cli::Scenario* scenario = app.shown() ? &app.shown()->scenario : nullptr;
  const bool own = !app.document().plan_a().text.empty();
  if (app.document().model.empty() || (!own && scenario == nullptr)) {
    no_data(app, ui);
    return;
  }
  const std::string name = app.document().plan_a().name;
  std::string text = app.view.plan_draft ? *app.view.plan_draft
                     : own               ? app.document().plan_a().text
                                         : plan_text_of(app.document(), *scenario);
  const auto read = read_plan(text, name);
  std::vector<Marker> markers;
  if (!read) markers = {parse_marker(text, read.error())};
  if (read && own && app.results.a.report) markers = plan_markers(text, app.results.a.size()->forward);
  ui.dim(name + (own ? "" : "  as shipped; typing makes a plan of your own") + "   " +
         (markers.empty() ? "no line is marked"
                          : cli::plural(static_cast<std::int64_t>(markers.size()), "line") +
                                " marked: point at the number for the reason"));
  if (!read)
    ui.banner("Line " + std::to_string(markers.front().line) +
                  ": not a plan yet, the last one that was stays in effect: " + read.error().message,
              ui.theme->strategy[7]);
  if (editor(ui, text, markers)) use_text(app, text, name);
}

}  // namespace tpsim::gui
