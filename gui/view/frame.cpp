#include "gui/view/frame.h"

#include <imgui_internal.h>

#include <algorithm>
#include <cmath>

#include "cli/text.h"

namespace tpsim::gui {
namespace {

struct Panel {
  std::string name, title;
  void (*draw)(App&, Ui&);
};

const std::vector<Panel>& panels() {
  static const std::vector<Panel> all = {{"setup", "Setup", setup_panel},
                                         {"modules", "Modules", modules_panel},
                                         {"graph", "Graph", graph_panel},
                                         {"shards", "Shards", shards_panel},
                                         {"plan_text", "Plan text", plan_text_panel},
                                         {"compare", "Compare", compare_panel},
                                         {"what_if", "What if", what_if_panel},
                                         {"inspector", "Inspector", inspector_panel},
                                         {"problems", "Problems", problems_panel},
                                         {"memory", "Memory", memory_panel},
                                         {"communication", "Communication", communication_panel},
                                         {"timeline", "Timeline", timeline_panel},
                                         {"roofline", "Roofline", roofline_panel},
                                         {"speed_up", "Speed-up", speed_up_panel},
                                         {"validation", "Validation", validation_panel},
                                         {"log", "History", log_panel},
                                         {"export", "Export", export_panel},
                                         {"hardware", "Hardware", hardware_panel},
                                         {"keys", "Keys", keys_panel}};
  return all;
}

bool key_matches(std::string_view keys, const std::string& pressed) {
  while (!keys.empty()) {
    const auto bar = std::min(keys.find(" | "), keys.size());
    if (keys.substr(0, bar) == pressed) return true;
    keys.remove_prefix(std::min(bar + 3, keys.size()));
  }
  return false;
}

bool is_plain(const std::string& key) { return key.find('+') == std::string::npos && key.size() == 1; }

void perform_keys(App& app, const FrameInput& input) {
  const bool typing = ImGui::GetIO().WantTextInput;
  for (const std::string& key : input.keys) {
    const bool navigation = key == "Up" || key == "Down" || key == "Left" || key == "Right" || key == "Home";
    if (typing && (is_plain(key) || navigation)) continue;
    if (navigation && ImGui::IsAnyItemFocused()) continue;
    if (key.size() == 1 && key[0] >= '0' && key[0] <= '9' && app.view.center == "shards") {
      const int rank = key[0] - '0';
      app.view.solo_rank = app.view.solo_rank == rank ? -1 : rank;
    }
    for (const Binding& binding : bindings())
      if (key_matches(binding.keys, key)) perform(app, binding.action);
  }
  app.view.show_b = input.space && !typing;
}

void tabs(App& app, Ui& ui, const char* id, const std::vector<std::string>& names, std::string& current) {
  const PathScope scope(ui, id);
  const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string label = panel_title(names[i]);
    if (names[i] == "problems" && app.results.a.report)
      label += " " + std::to_string(app.results.a.report->problems.size());
    const float width = ImGui::CalcTextSize(label.c_str()).x + 2 * ImGui::GetStyle().FramePadding.x + ui.px(3);
    if (i > 0 && ImGui::GetItemRectMax().x + width < right) ImGui::SameLine(0, ui.px(3));
    if (ui.button(names[i].c_str(), label, true, "double click maximises", names[i] == current)) current = names[i];
    if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) app.view.alone = names[i];
  }
}

void panel_child(App& app, Ui& ui, const std::string& name, ImVec2 size, bool scrolls = true) {
  ImGui::BeginChild(name.c_str(), size, true, scrolls ? 0 : ImGuiWindowFlags_NoScrollbar);
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

void splitter(Ui& ui, const char* id, ImGuiAxis axis, float& size, bool grows, float length) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float thick = ui.px(6);
  const ImVec2 extent = axis == ImGuiAxis_X ? ImVec2(thick, length) : ImVec2(length, thick);
  ImGui::InvisibleButton(id, extent);
  ui.add_last(id, "splitter", "", std::to_string(static_cast<int>(size)));
  if (ImGui::IsItemHovered() || ImGui::IsItemActive()) {
    ImGui::GetWindowDrawList()->AddRectFilled(at, {at.x + extent.x, at.y + extent.y}, ui.color(ui.theme->accent, 0.5F));
    ImGui::SetMouseCursor(axis == ImGuiAxis_X ? ImGuiMouseCursor_ResizeEW : ImGuiMouseCursor_ResizeNS);
  }
  if (!ImGui::IsItemActive()) return;
  const ImVec2 moved = ImGui::GetIO().MouseDelta;
  const float by = (axis == ImGuiAxis_X ? moved.x : moved.y) / ui.scale;
  size = std::clamp(size + (grows ? by : -by), 120.0F, 900.0F);
}

void menu_entry(App& app, Ui& ui, Action action) {
  for (const Binding& b : bindings()) {
    if (b.action != action) continue;
    const std::string name(b.name), keys(b.keys);
    if (ImGui::MenuItem(name.c_str(), keys.c_str())) perform(app, action);
    ui.add_last(name, "menu", name, keys);
  }
}

void menu(App& app, Ui& ui, const char* title, const std::vector<Action>& actions) {
  const PathScope scope(ui, title);
  const bool open = ImGui::BeginMenu(title);
  ui.add_last("open", "menu", title, "");
  if (!open) return;
  for (const Action action : actions) menu_entry(app, ui, action);
  ImGui::EndMenu();
}

std::string workspace_label(std::size_t i) {
  std::string label = kWorkspaces[i];
  label[0] = static_cast<char>(label[0] - 'a' + 'A');
  return std::to_string(i + 1) + " " + label;
}

void menu_bar(App& app, Ui& ui) {
  using enum Action;
  const PathScope scope(ui, "Menu");
  if (!ImGui::BeginMenuBar()) return;
  menu(app, ui, "File", {open, save, save_as, export_panel, snapshot, quit});
  menu(app, ui, "Edit", {undo, redo, copy_command});
  menu(app, ui, "View",
       {workspace_1, workspace_2, workspace_3, workspace_4, workspace_5, fit, fit_all, cycle_overlay, font_larger,
        font_smaller, font_reset, toggle_theme, maximise, reset_layout});
  menu(app, ui, "Plan", {next_plan, previous_plan, swap_sides, make_baseline, close_plan});
  menu(app, ui, "Problems", {next_problem, previous_problem, apply_fix});
  menu(app, ui, "Help", {help, palette, find_module});
  ImGui::SameLine(0, ui.px(30));
  for (std::size_t i = 0; i < kWorkspaces.size(); ++i)
    if (ui.button(kWorkspaces[i].c_str(), workspace_label(i))) set_workspace(app, kWorkspaces[i]);
  ImGui::SameLine(0, ui.px(30));
  if (ui.button("find", "Find  Ctrl+P")) perform(app, find_module);
  if (ui.button("smaller", "A-")) perform(app, font_smaller);
  if (ui.button("larger", "A+")) perform(app, font_larger);
  if (ui.button("theme", app.view.theme)) perform(app, toggle_theme);
  if (ui.button("help", "?")) perform(app, help);
  ImGui::EndMenuBar();
}

std::string status_text(const App& app) {
  if (app.view.message_frames > 0) return app.view.message;
  const Document& d = app.document();
  std::vector<std::string> parts = {"ready", "recomputed in " + cli::fixed(app.results.refresh_ms, 1) + " ms",
                                    "A: " + d.plan_a().name, "B: " + d.plan_b().name};
  if (d.baseline_tp) parts.back() += " at TP " + std::to_string(*d.baseline_tp);
  const cli::Report* report = app.shown();
  if (report != nullptr && report->results.front().decode) {
    const Prediction& t = report->results.front().decode->time;
    parts.push_back(std::string(to_string(t.source)) + ", 90 % within " + percent_text(std::expm1(t.band)));
  }
  parts.push_back("undo " + std::to_string(app.history.position()));
  return cli::joined(parts, "   |   ");
}

void body(App& app, Ui& ui) {
  View& v = app.view;
  const float status = ImGui::GetFrameHeight();
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float height = room.y - status - ui.px(4), gap = ui.px(6);
  const float left = std::min(ui.px(v.left_width), room.x * 0.3F),
              right = std::min(ui.px(v.right_width), room.x * 0.32F);
  const ImVec2 spacing = ImGui::GetStyle().ItemSpacing;
  ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, 0));
  ImGui::BeginGroup();
  const float bottom = std::min(ui.px(v.bottom_height), height * 0.6F), top = height - bottom - gap;
  const auto inside = [&](auto draw) {
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, spacing);
    draw();
    ImGui::PopStyleVar();
  };
  const float setup = std::min(ui.px(372), height * 0.55F), middle = room.x - left - right - 2 * gap;
  inside([&] { panel_child(app, ui, "setup", {left, setup}); });
  ImGui::Dummy({0, gap});
  inside([&] { panel_child(app, ui, "modules", {left, height - setup - gap}); });
  ImGui::EndGroup();
  ImGui::SameLine(0, 0);
  splitter(ui, "split-left", ImGuiAxis_X, v.left_width, true, height);
  ImGui::SameLine(0, 0);
  ImGui::BeginGroup();
  inside([&] { tabbed(app, ui, "Center", kCenterPanels, v.center, {middle, top}, false); });
  ImGui::SameLine(0, 0);
  splitter(ui, "split-right", ImGuiAxis_X, v.right_width, false, top);
  ImGui::SameLine(0, 0);
  inside([&] { panel_child(app, ui, "inspector", {right, top}); });
  splitter(ui, "split-bottom", ImGuiAxis_Y, v.bottom_height, false, middle + gap + right);
  inside([&] { tabbed(app, ui, "Bottom", kBottomPanels, v.bottom, {middle + gap + right, bottom}, true); });
  ImGui::EndGroup();
  ImGui::PopStyleVar();
}

void main_window(App& app, Ui& ui) {
  kpi_strip(app, ui);
  body(app, ui);
  const std::string status = status_text(app);
  ui.dim(cli::shortened(status, static_cast<std::size_t>(ImGui::GetContentRegionAvail().x / ui.px(7.5F))));
  ui.add_last("Status", "text", status, "");
}

void alone_window(App& app, Ui& ui) {
  if (std::find(kCenterPanels.begin(), kCenterPanels.end(), app.view.alone) != kCenterPanels.end())
    app.view.center = app.view.alone;
  const bool has_heading = app.view.alone == "inspector" || app.view.alone == "setup" || app.view.alone == "modules";
  if (!has_heading) ui.heading(panel_title(app.view.alone));
  panel_child(app, ui, app.view.alone, {0, 0});
}

void help_window(App& app, Ui& ui) {
  ImGui::SetNextWindowSize({ui.px(560), ui.px(600)}, ImGuiCond_Appearing);
  ImGui::SetNextWindowPos({ImGui::GetIO().DisplaySize.x / 2 - ui.px(280), ui.px(80)}, ImGuiCond_Appearing);
  if (ImGui::Begin("Keys and help", &app.view.help)) keys_panel(app, ui);
  ImGui::End();
}

}  // namespace

const std::vector<std::string>& panel_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Panel& panel : panels()) list.push_back(panel.name);
    return list;
  }();
  return names;
}

std::string panel_title(const std::string& name) {
  for (const Panel& panel : panels())
    if (panel.name == name) return panel.title;
  return name;
}

void draw_panel(App& app, Ui& ui, const std::string& name) {
  const PathScope scope(ui, panel_title(name));
  for (const Panel& panel : panels())
    if (panel.name == name) panel.draw(app, ui);
}

bool no_data(App& app, Ui& ui, bool needs_times) {
  const Evaluation& a = app.results.a;
  if (app.document().model.empty()) {
    if (ui.empty_state("No model is open.", "Try Llama-3.1-70B on 4 H100")) {
      Edit edit{"open Llama-3.1-70B", app.document()};
      edit.next.model = "meta-llama/Llama-3.1-70B";
      apply(app, std::move(edit));
    }
    return true;
  }
  if (a.error) {
    std::string text = a.error->message + (a.error->where.empty() ? "" : "\n" + a.error->where);
    for (const std::string& line : a.error->details) text += "\n" + line;
    for (const std::string& fix : a.error->fixes) text += "\nfix: " + fix;
    ui.banner(text, ui.theme->strategy[7]);
  }
  if (app.shown() == nullptr) return true;
  if (app.results.is_last_good() && !app.view.show_b) {
    const auto count = count_problems(*a.report, {});
    ui.banner("Showing the last plan that runs: this one has " +
                  cli::plural(static_cast<std::int64_t>(count.errors), "error") + ", see Problems",
              ui.theme->strategy[7]);
  }
  const cli::SizeResult& size = app.shown()->results.front();
  if (size.forward.verdict == Verdict::wrong)
    ui.banner("The plan runs but computes something else (" +
                  cli::joined(cli::distinct(size.forward.verdict_reasons), ", ") +
                  "): memory is true, times are marked !",
              ui.theme->strategy[7]);
  if (!needs_times || size.prefill || size.decode) return false;
  if (!size.forward.diagnostics.empty() && size.forward.verdict == Verdict::error) {
    if (ui.empty_state("No times: the plan stops the forward pass. " + size.forward.diagnostics.front().message,
                       "Show problems"))
      app.view.bottom = "problems";
  } else {
    ui.empty_state("No times: the forward pass of this model is not described, so only its weights are known.");
  }
  return true;
}

void draw_frame(App& app, Ui& ui, const FrameInput& input) {
  perform_keys(app, input);
  if (app.view.message_frames > 0) --app.view.message_frames;
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(ImGui::GetIO().DisplaySize);
  const bool alone = !app.view.alone.empty();
  const ImGuiWindowFlags flags = ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                                 ImGuiWindowFlags_NoBringToFrontOnFocus | ImGuiWindowFlags_NoSavedSettings;
  ImGui::PushFont(ui.fonts.regular);
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
  ImGui::PopFont();
}

}  // namespace tpsim::gui
