#include "gui/view/ui.h"

#include <imgui_stdlib.h>

#include <algorithm>
#include <cmath>

#include "gui/model/modules.h"
#include "gui/view/imgui_compat.h"

namespace tpsim::gui {

ImU32 Ui::color(Rgb rgb, float alpha) const {
  return IM_COL32(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255, static_cast<int>(alpha * 255));
}

ImU32 Ui::strategy_color(std::string_view strategy, float alpha) const {
  return color(theme->strategy[static_cast<std::size_t>(strategy_class(strategy))], alpha);
}

void Ui::push(std::string_view name) {
  lengths_.push_back(path_.size());
  path_ += (path_.empty() ? "" : "/") + std::string(name);
  ImGui::PushID(name.data(), name.data() + name.size());
}

void Ui::pop() {
  path_.resize(lengths_.back());
  lengths_.pop_back();
  ImGui::PopID();
}

void Ui::add(std::string_view id, const char* kind, const std::string& label, const std::string& value, ImVec2 low,
             ImVec2 high) {
  const bool visible = ImGui::IsRectVisible(low, high);
  items.push_back({path_ + (path_.empty() ? "" : "/") + std::string(id), kind, label, value, low.x, low.y,
                   high.x - low.x, high.y - low.y, true, visible});
}

void Ui::add_last(std::string_view id, const char* kind, const std::string& label, const std::string& value,
                  bool enabled) {
  add(id, kind, label, value, ImGui::GetItemRectMin(), ImGui::GetItemRectMax());
  items.back().enabled = enabled;
}

bool Ui::button(const char* id, const std::string& label, bool enabled, const std::string& tip_text, bool is_on) {
  ImGui::PushID(id);
  if (is_on) ImGui::PushStyleColor(ImGuiCol_Button, color(theme->accent, 0.45F));
  ImGui::BeginDisabled(!enabled);
  const bool pressed = ImGui::Button(label.c_str());
  ImGui::EndDisabled();
  if (is_on) ImGui::PopStyleColor();
  ImGui::PopID();
  add_last(id, "button", label, is_on ? "on" : "", enabled);
  if (!tip_text.empty()) tip(tip_text);
  return pressed;
}

bool Ui::checkbox(const char* id, const std::string& label, bool& value) {
  ImGui::PushID(id);
  const bool changed = ImGui::Checkbox(label.c_str(), &value);
  ImGui::PopID();
  add_last(id, "checkbox", label, value ? "on" : "off");
  return changed;
}

bool Ui::selectable(const char* id, const std::string& label, bool selected, const std::string& tip_text) {
  ImGui::PushID(id);
  const bool pressed = ImGui::Selectable(label.c_str(), selected);
  ImGui::PopID();
  add_last(id, "selectable", label, selected ? "selected" : "");
  if (!tip_text.empty()) tip(tip_text);
  return pressed;
}

bool Ui::input_text(const char* id, const char* hint, std::string& value, float width) {
  if (width != 0) ImGui::SetNextItemWidth(width);
  ImGui::PushID(id);
  const bool changed = ImGui::InputTextWithHint("##text", hint, &value);
  ImGui::PopID();
  add_last(id, "input", hint, value);
  return changed;
}

bool Ui::combo(const char* id, std::string& value, const std::vector<std::string>& choices, float width) {
  if (width != 0) ImGui::SetNextItemWidth(width);
  bool changed = false;
  ImGui::PushID(id);
  const bool open = ImGui::BeginCombo("##combo", value.c_str(), ImGuiComboFlags_HeightLarge);
  add_last(id, "combo", value, value);
  if (open) {
    push(id);
    for (const std::string& choice : choices)
      if (selectable(choice.c_str(), choice, choice == value)) {
        value = choice;
        changed = true;
      }
    pop();
    ImGui::EndCombo();
  }
  ImGui::PopID();
  return changed;
}

bool Ui::log_slider(const char* id, std::int64_t& value, std::int64_t low, std::int64_t high, float width) {
  if (width != 0) ImGui::SetNextItemWidth(width);
  ImGui::PushID(id);
  bool changed = ImGui::SliderScalar("##slider", ImGuiDataType_S64, &value, &low, &high, "%lld",
                                     ImGuiSliderFlags_Logarithmic | ImGuiSliderFlags_AlwaysClamp);
  ImGui::PopID();
  add_last(id, "slider", "", std::to_string(value));
  const ImGuiIO& io = ImGui::GetIO();
  if (ImGui::IsItemHovered() && io.KeyCtrl && io.MouseWheel != 0) {
    const double power = std::round(std::log2(static_cast<double>(value))) + (io.MouseWheel > 0 ? 1 : -1);
    value = std::clamp(static_cast<std::int64_t>(std::exp2(std::max(power, 0.0))), low, high);
    changed = true;
  }
  return changed;
}

float Ui::button_width(const std::string& label) const {
  return ImGui::CalcTextSize(label.c_str()).x + 2 * ImGui::GetStyle().FramePadding.x;
}

void Ui::flow(float width, float gap) {
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  if (ImGui::GetItemRectMax().x + px(gap) + width <= right) ImGui::SameLine(0, px(gap));
}

void Ui::text(const std::string& s) { ImGui::TextUnformatted(s.data(), s.data() + s.size()); }

void Ui::colored(const std::string& s, Rgb rgb) {
  ImGui::PushStyleColor(ImGuiCol_Text, color(rgb));
  text(s);
  ImGui::PopStyleColor();
}

void Ui::dim(const std::string& s) { colored(s, theme->dim); }

void Ui::wrapped(const std::string& s, std::optional<Rgb> rgb) {
  ImGui::PushStyleColor(ImGuiCol_Text, color(rgb.value_or(theme->text)));
  ImGui::PushTextWrapPos(0);
  text(s);
  ImGui::PopTextWrapPos();
  ImGui::PopStyleColor();
}

void Ui::heading(const std::string& s) {
  push_font(fonts.bold);
  dim(s);
  ImGui::PopFont();
}

void Ui::tip(const std::string& s) {
  constexpr float delay = 0.35F;
  if (!ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenDisabled) || ImGui::GetCurrentContext() == nullptr) return;
  static_cast<void>(delay);
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(px(420));
  text(s);
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

void Ui::chip(const std::string& strategy) {
  const std::string label =
      std::string(1, strategy_letter(strategy)) + "  " + (strategy.empty() ? "no rule" : strategy);
  const ImVec2 size = ImGui::CalcTextSize(label.c_str());
  const ImVec2 low = ImGui::GetCursorScreenPos(), high = {low.x + size.x + px(20), low.y + size.y + px(4)};
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled(low, high, strategy_color(strategy, 0.22F), px(4));
  list->AddRectFilled(low, {low.x + px(4), high.y}, strategy_color(strategy), px(2));
  list->AddText({low.x + px(11), low.y + px(2)}, color(theme->text), label.c_str());
  ImGui::Dummy({high.x - low.x, high.y - low.y});
}

bool Ui::empty_state(const std::string& why, const char* label) {
  ImGui::Dummy({0, px(12)});
  ImGui::Indent(px(12));
  wrapped(why, theme->dim);
  bool pressed = false;
  if (label != nullptr) pressed = button("cure", label);
  ImGui::Unindent(px(12));
  return pressed;
}

void Ui::banner(const std::string& s, Rgb rgb) {
  const float width = ImGui::GetContentRegionAvail().x;
  const ImVec2 size = ImGui::CalcTextSize(s.c_str(), nullptr, false, width - px(28));
  const ImVec2 low = ImGui::GetCursorScreenPos(), high = {low.x + width, low.y + size.y + px(12)};
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled(low, high, color(rgb, 0.2F), px(4));
  list->AddRectFilled(low, {low.x + px(4), high.y}, color(rgb), px(2));
  list->AddText(nullptr, 0, {low.x + px(14), low.y + px(6)}, color(theme->text), s.c_str(), nullptr, width - px(28));
  ImGui::Dummy({width, high.y - low.y});
  add("banner", "banner", s, "", low, high);
}

void apply_style(Ui& ui) {
  const Theme& t = *ui.theme;
  ImGuiStyle style;
  const auto set = [&](ImGuiCol slot, Rgb rgb, float alpha = 1) {
    style.Colors[slot] = ImGui::ColorConvertU32ToFloat4(ui.color(rgb, alpha));
  };
  if (t.name == "light") ImGui::StyleColorsLight(&style);
  set(ImGuiCol_Text, t.text);
  set(ImGuiCol_TextDisabled, t.dim);
  set(ImGuiCol_WindowBg, t.background);
  set(ImGuiCol_ChildBg, t.panel);
  set(ImGuiCol_PopupBg, t.raised);
  set(ImGuiCol_Border, t.line);
  set(ImGuiCol_FrameBg, t.raised);
  set(ImGuiCol_FrameBgHovered, t.line);
  set(ImGuiCol_FrameBgActive, t.line);
  set(ImGuiCol_MenuBarBg, t.panel);
  set(ImGuiCol_ScrollbarBg, t.panel);
  set(ImGuiCol_ScrollbarGrab, t.line);
  set(ImGuiCol_CheckMark, t.accent);
  set(ImGuiCol_SliderGrab, t.accent, 0.55F);
  set(ImGuiCol_SliderGrabActive, t.accent);
  set(ImGuiCol_Button, t.raised);
  set(ImGuiCol_ButtonHovered, t.line);
  set(ImGuiCol_ButtonActive, t.accent, 0.5F);
  set(ImGuiCol_Header, t.accent, 0.25F);
  set(ImGuiCol_HeaderHovered, t.accent, 0.18F);
  set(ImGuiCol_HeaderActive, t.accent, 0.35F);
  set(ImGuiCol_Separator, t.line);
  set(ImGuiCol_TableHeaderBg, t.raised);
  set(ImGuiCol_TableBorderStrong, t.line);
  set(ImGuiCol_TableBorderLight, t.line, 0.6F);
  set(ImGuiCol_TableRowBgAlt, t.raised, 0.35F);
  set(kFocusColor, t.accent);
  set(ImGuiCol_TextSelectedBg, t.accent, 0.35F);
  style.FrameRounding = 4;
  style.ChildRounding = 5;
  style.PopupRounding = 5;
  style.GrabRounding = 3;
  style.WindowPadding = {8, 8};
  style.FramePadding = {8, 4};
  style.ItemSpacing = {8, 5};
  style.CellPadding = {6, 3};
  style.ScrollbarSize = 12;
  style.WindowBorderSize = 0;
  style.ScaleAllSizes(ui.scale);
  ImGui::GetStyle() = style;
}

void hatch(ImDrawList* list, ImVec2 low, ImVec2 high, int pattern, ImU32 color, float step) {
  if (pattern <= 0) return;
  list->PushClipRect(low, high, true);
  const float width = high.x - low.x, height = high.y - low.y;
  const bool forward = pattern % 3 != 2, backward = pattern % 3 != 1;
  constexpr int most = 400;
  step = std::max(step, (width + height) / most);
  for (float d = 0; d < width + height; d += step) {
    if (forward) list->AddLine({low.x + d - height, high.y}, {low.x + d, low.y}, color);
    if (backward) list->AddLine({low.x + d - height, low.y}, {low.x + d, high.y}, color);
  }
  list->PopClipRect();
}

}  // namespace tpsim::gui
