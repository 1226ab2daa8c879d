// The window around the panels: menus, columns, status. Where there is little room (a small window, a large font) the
// three columns become two.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/text.h"
#include "gui/view/frame.h"
#include "gui/view/imgui_compat.h"

namespace tpsim::gui {
namespace {

constexpr float kRoomyWidth = 1000, kRoomyHeight = 560;  // at scale 1

std::string tab_label(const App& app, const std::string& name) {
  std::string label = panel_title(name);
  if (name == "problems" && app.results.a.report) label += " " + std::to_string(app.results.a.report->problems.size());
  return label;
}

void tabs(App& app, Ui& ui, const char* id, const std::vector<std::string>& names, std::string& current) {
  const PathScope scope(ui, id);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string label = tab_label(app, names[i]);
    if (i > 0) ui.flow(ui.button_width(label), 3);
    if (ui.button(names[i].c_str(), label, true, "double click maximises", names[i] == current)) current = names[i];
    if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) app.view.alone = names[i];
  }
}

void panel_child(App& app, Ui& ui, const std::string& name, ImVec2 size, bool scrolls = true) {
  ImGui::BeginChild(name.c_str(), size, kBordered, scrolls ? 0 : ImGuiWindowFlags_NoScrollbar);
  draw_panel(app, ui, name);
  ImGui::EndChild();
}

// A column of tabs and the panel that is chosen.
void tabbed(App& app, Ui& ui, const char* id, const std::vector<std::string>& names, std::string& current, ImVec2 size,
            bool scrolls) {
  ImGui::PushStyleColor(ImGuiCol_ChildBg, ui.color(ui.theme->background));
  ImGui::BeginChild(id, size);
  ImGui::PopStyleColor();
  tabs(app, ui, id, names, current);
  panel_child(app, ui, current, {0, 0}, scrolls);
  ImGui::EndChild();
}

enum class Along { x, y };

void splitter(Ui& ui, const char* id, Along axis, float& size, bool grows, float length) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float thick = ui.px(6);
  const ImVec2 extent = axis == Along::x ? ImVec2(thick, length) : ImVec2(length, thick);
  ImGui::InvisibleButton(id, extent);
  ui.add_last(id, "splitter", "", std::to_string(static_cast<int>(size)));
  if (ImGui::IsItemHovered() || ImGui::IsItemActive()) {
    ImGui::GetWindowDrawList()->AddRectFilled(at, {at.x + extent.x, at.y + extent.y}, ui.color(ui.theme->accent, 0.5F));
    ImGui::SetMouseCursor(axis == Along::x ? ImGuiMouseCursor_ResizeEW : ImGuiMouseCursor_ResizeNS);
  }
  if (!ImGui::IsItemActive()) return;
  const ImVec2 moved = ImGui::GetIO().MouseDelta;
  const float by = (axis == Along::x ? moved.x : moved.y) / ui.scale;
  size = std::clamp(size + (grows ? by : -by), 120.0F, 900.0F);
}

void menu_entry(App& app, Ui& ui, Action action) {
  for (const Binding& b : bindings()) {
    if (b.action != action) continue;
    const std::string name(b.name), keys(keys_of(app.keys, b));
    if (ImGui::MenuItem(name.c_str(), keys.c_str())) perform(app, action);
    ui.add_last(name, "menu", name, keys);
  }
}

void recent_menu(App& app, Ui& ui) {
  if (!ImGui::BeginMenu("recent files", !app.recent.empty())) return;
  std::error_code failed;
  const std::vector<std::string> recent = app.recent;
  for (const std::string& path : recent) {
    const bool is_there = std::filesystem::exists(path, failed);
    if (ImGui::MenuItem((path + (is_there ? "" : "   (missing)")).c_str(), nullptr, false, is_there))
      open_path(app, path);
    ui.add_last(path, "menu", path, is_there ? "" : "missing");
  }
  ImGui::EndMenu();
}

void menu(App& app, Ui& ui, const char* title, const std::vector<Action>& actions) {
  const PathScope scope(ui, title);
  const bool open = ImGui::BeginMenu(title);
  ui.add_last("open", "menu", title, "");
  if (!open) return;
  for (const Action action : actions) {
    menu_entry(app, ui, action);
    if (action == Action::open) recent_menu(app, ui);
  }
  ImGui::EndMenu();
}

std::string workspace_label(std::size_t i) {
  std::string label = kWorkspaces[i];
  label[0] = static_cast<char>(label[0] - 'a' + 'A');
  return std::to_string(i + 1) + " " + label;
}

// What menus hold anyway, where the bar has room for it.
void bar_buttons(App& app, Ui& ui) {
  using enum Action;
  const float gap = ImGui::GetStyle().ItemSpacing.x, right = ImGui::GetWindowPos().x + ImGui::GetWindowWidth();
  float workspaces = ui.px(30), tools = ui.px(30);
  for (std::size_t i = 0; i < kWorkspaces.size(); ++i) workspaces += ui.button_width(workspace_label(i)) + gap;
  for (const char* label : {"Find  Ctrl+P", "A-", "A+", "light", "?"}) tools += ui.button_width(label) + gap;
  float left = ImGui::GetItemRectMax().x;
  if (left + workspaces < right) {
    ImGui::SameLine(0, ui.px(30));
    for (std::size_t i = 0; i < kWorkspaces.size(); ++i)
      if (ui.button(kWorkspaces[i].c_str(), workspace_label(i))) set_workspace(app, kWorkspaces[i]);
    left = ImGui::GetItemRectMax().x;
  }
  if (left + tools > right) return;
  ImGui::SameLine(0, ui.px(30));
  if (ui.button("find", "Find  Ctrl+P")) perform(app, find_module);
  if (ui.button("smaller", "A-")) perform(app, font_smaller);
  if (ui.button("larger", "A+")) perform(app, font_larger);
  if (ui.button("theme", app.view.theme)) perform(app, toggle_theme);
  if (ui.button("help", "?")) perform(app, help);
}

void menu_bar(App& app, Ui& ui) {
  using enum Action;
  const PathScope scope(ui, "Menu");
  if (!ImGui::BeginMenuBar()) return;
  menu(app, ui, "File", {open, save, save_as, export_panel, snapshot, quit});
  menu(app, ui, "Edit", {undo, redo, copy_command, find, find_next, find_previous});
  menu(app, ui, "View",
       {workspace_1, workspace_2, workspace_3, workspace_4, workspace_5, fit, fit_all, cycle_overlay, view_back,
        view_forward, font_larger, font_smaller, font_reset, toggle_theme, maximise, full_screen, reset_layout});
  menu(app, ui, "Plan",
       {next_plan, previous_plan, swap_sides, make_baseline, close_plan, next_problem, previous_problem, apply_fix});
  menu(app, ui, "Help", {help, palette, find_module});
  bar_buttons(app, ui);
  ImGui::EndMenuBar();
}

std::string status_text(const App& app) {
  if (app.view.message_frames > 0) return app.view.message;
  const Document& d = app.document();
  std::vector<std::string> parts = {app.at_work.empty() ? "ready" : "working: " + cli::joined(app.at_work, ", "),
                                    app.has_unsaved_edits() ? "unsaved edits" : "saved", "A: " + d.plan_a().name,
                                    "B: " + d.plan_b().name};
  // A picture is to be the same every time.
  if (app.threads) parts.insert(parts.begin() + 1, "recomputed in " + cli::fixed(app.results.refresh_ms, 1) + " ms");
  if (d.baseline_tp) parts.back() += " at TP " + std::to_string(*d.baseline_tp);
  const cli::Report* report = app.shown();
  if (report != nullptr && report->results.front().decode) {
    const Prediction& t = report->results.front().decode->time;
    parts.push_back(std::string(to_string(t.source)) + ", 90 % within " + percent_text(std::expm1(t.band)));
  }
  parts.push_back("undo " + std::to_string(app.history.position()));
  return cli::joined(parts, "   |   ");
}

void status_bar(App& app, Ui& ui) {
  const std::string status = status_text(app);
  ImGui::AlignTextToFramePadding();
  ui.dim(cli::shortened(status, static_cast<std::size_t>(ImGui::GetContentRegionAvail().x / ui.px(7.5F))));
  ui.add_last("Status", "text", status, "");
  if (app.at_work.empty()) return;
  ImGui::SameLine();
  if (ui.button("cancel", "Cancel")) perform(app, Action::cancel_work);
}

// With the spacing between items that panels have, inside columns that have none.
template <class Draw>
void with_spacing(ImVec2 spacing, const Draw& draw) {
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, spacing);
  draw();
  ImGui::PopStyleVar();
}

void three_columns(App& app, Ui& ui, ImVec2 room) {
  View& v = app.view;
  const float height = room.y, gap = ui.px(6);
  const float left = std::min(ui.px(v.left_width), room.x * 0.3F),
              right = std::min(ui.px(v.right_width), room.x * 0.32F);
  const ImVec2 spacing = ImGui::GetStyle().ItemSpacing;
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  ImGui::BeginGroup();
  const float bottom = std::min(ui.px(v.bottom_height), height * 0.6F), top = height - bottom - gap;
  const float setup = std::min(ui.px(372), height * 0.55F), middle = room.x - left - right - 2 * gap;
  with_spacing(spacing, [&] { panel_child(app, ui, "setup", {left, setup}); });
  ImGui::Dummy({0, gap});
  with_spacing(spacing, [&] { panel_child(app, ui, "modules", {left, height - setup - gap}); });
  ImGui::EndGroup();
  ImGui::SameLine(0, 0);
  splitter(ui, "split-left", Along::x, v.left_width, true, height);
  ImGui::SameLine(0, 0);
  ImGui::BeginGroup();
  with_spacing(spacing, [&] { tabbed(app, ui, "Center", kCenterPanels, v.center, {middle, top}, false); });
  ImGui::SameLine(0, 0);
  splitter(ui, "split-right", Along::x, v.right_width, false, top);
  ImGui::SameLine(0, 0);
  with_spacing(spacing, [&] { panel_child(app, ui, "inspector", {right, top}); });
  splitter(ui, "split-bottom", Along::y, v.bottom_height, false, middle + gap + right);
  with_spacing(spacing, [&] {
    tabbed(app, ui, "Bottom", kBottomPanels, v.bottom, {middle + gap + right, bottom}, true);
  });
  ImGui::EndGroup();
  ImGui::PopStyleVar();
}

// The one panel follows what keys and clicks ask for in the other arrangement.
void follow_tabs(View& v) {
  if (v.center != v.last_center) v.single = v.center;
  if (v.bottom != v.last_bottom) v.single = v.bottom;
  v.last_center = v.center;
  v.last_bottom = v.bottom;
}

void panel_choice(App& app, Ui& ui) {
  const PathScope scope(ui, "Panels");
  std::vector<std::string> names = kCenterPanels, titles;
  names.insert(names.end(), kBottomPanels.begin(), kBottomPanels.end());
  for (const std::string& name : names) titles.push_back(tab_label(app, name));
  const auto at = std::find(names.begin(), names.end(), app.view.single) - names.begin();
  const auto n = static_cast<std::ptrdiff_t>(names.size());
  std::ptrdiff_t chosen = at;
  if (ui.button("previous", "<")) chosen = (at + n - 1) % n;
  ImGui::SameLine(0, ui.px(3));
  std::string title = titles[static_cast<std::size_t>(at % n)];
  if (ui.combo("panel", title, titles, std::min(ui.px(220), ImGui::GetContentRegionAvail().x - ui.px(40))))
    chosen = std::find(titles.begin(), titles.end(), title) - titles.begin();
  ImGui::SameLine(0, ui.px(3));
  if (ui.button("next", ">")) chosen = (at + 1) % n;
  if (chosen == at) return;
  app.view.single = names[static_cast<std::size_t>(chosen)];
  const bool is_center = chosen < static_cast<std::ptrdiff_t>(kCenterPanels.size());
  (is_center ? app.view.center : app.view.bottom) = app.view.single;
  app.view.last_center = app.view.center;
  app.view.last_bottom = app.view.bottom;
}

void two_columns(App& app, Ui& ui, ImVec2 room) {
  follow_tabs(app.view);
  static const std::vector<std::string> left_panels = {"setup", "modules", "inspector"};
  const float left = std::clamp(room.x * 0.38F, ui.px(120), ui.px(330)), gap = ui.px(6);
  tabbed(app, ui, "Left", left_panels, app.view.left, {left, room.y}, true);
  ImGui::SameLine(0, gap);
  ImGui::BeginGroup();
  panel_choice(app, ui);
  const bool is_center = std::find(kCenterPanels.begin(), kCenterPanels.end(), app.view.single) != kCenterPanels.end();
  panel_child(app, ui, app.view.single, {room.x - left - gap, ImGui::GetContentRegionAvail().y - ui.px(34)},
              !is_center);
  ImGui::EndGroup();
}

void main_window(App& app, Ui& ui) {
  kpi_strip(app, ui);
  if (app.view.find.open) find_bar(app, ui);
  const ImVec2 room(ImGui::GetContentRegionAvail().x,
                    ImGui::GetContentRegionAvail().y - ImGui::GetFrameHeight() - ui.px(4));
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  if (display.x < ui.px(kRoomyWidth) || display.y < ui.px(kRoomyHeight))
    two_columns(app, ui, room);
  else
    three_columns(app, ui, room);
  status_bar(app, ui);
}

void alone_window(App& app, Ui& ui) {
  if (std::find(kCenterPanels.begin(), kCenterPanels.end(), app.view.alone) != kCenterPanels.end())
    app.view.center = app.view.alone;
  const bool has_heading = app.view.alone == "inspector" || app.view.alone == "setup" || app.view.alone == "modules";
  if (!has_heading) ui.heading(panel_title(app.view.alone));
  if (app.view.find.open) find_bar(app, ui);
  panel_child(app, ui, app.view.alone, {0, 0});
}

void help_window(App& app, Ui& ui) {
  ImGui::SetNextWindowSize({ui.px(560), ui.px(600)}, ImGuiCond_Appearing);
  ImGui::SetNextWindowPos({std::max(ImGui::GetIO().DisplaySize.x / 2 - ui.px(280), 0.0F), ui.px(80)},
                          ImGuiCond_Appearing);
  if (ImGui::Begin("Keys and help", &app.view.help)) keys_panel(app, ui);
  ImGui::End();
}

}  // namespace

void draw_shell(App& app, Ui& ui) {
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(ImGui::GetIO().DisplaySize);
  const bool alone = !app.view.alone.empty();
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                                 ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoSavedSettings;
  push_font(ui.fonts.regular);
  ImGui::Begin("tpsim", nullptr, flags | (alone ? 0 : ImGuiWindowFlags_MenuBar));
  if (alone) {
    alone_window(app, ui);
  } else {
    menu_bar(app, ui);
    if (app.document().model.empty()) start_page(app, ui);
    if (!app.document().model.empty()) main_window(app, ui);
  }
  ImGui::End();
  if (app.view.help) help_window(app, ui);
  if (app.view.palette || app.view.finder) palette_window(app, ui);
  if (app.view.file_dialog) file_window(app, ui);
  if (app.view.close_asked) close_window(app, ui);
  ImGui::PopFont();
}

}  // namespace tpsim::gui
