// One frame of the visualizer: what is on the screen as a function of the App.
#pragma once

#include <string>
#include <vector>

#include "gui/view/ui.h"

namespace tpsim::gui {

// Keys pressed since the last frame, as bindings name them ("Ctrl+Shift+Z"), and whether Space is held.
struct FrameInput {
  std::vector<std::string> keys;
  bool space = false;
};

// Between ImGui::NewFrame and Render. Performs the actions of the keys first.
void draw_frame(App& app, Ui& ui, const FrameInput& input);

// The window around the panels: menus, columns, status, what lies over everything.
void draw_shell(App& app, Ui& ui);
void draw_panel(App& app, Ui& ui, const std::string& name);
const std::vector<std::string>& panel_names();
std::string panel_title(const std::string& name);

// Panels. Each fills the window or child that it is called in.
void setup_panel(App& app, Ui& ui);
void modules_panel(App& app, Ui& ui);
void graph_panel(App& app, Ui& ui);
void shards_panel(App& app, Ui& ui);
void plan_text_panel(App& app, Ui& ui);
void compare_panel(App& app, Ui& ui);
void what_if_panel(App& app, Ui& ui);
void inspector_panel(App& app, Ui& ui);
void problems_panel(App& app, Ui& ui);
void memory_panel(App& app, Ui& ui);
void communication_panel(App& app, Ui& ui);
void timeline_panel(App& app, Ui& ui);
void roofline_panel(App& app, Ui& ui);
void speed_up_panel(App& app, Ui& ui);
void validation_panel(App& app, Ui& ui);
void log_panel(App& app, Ui& ui);
void export_panel(App& app, Ui& ui);
void hardware_panel(App& app, Ui& ui);
void config_panel(App& app, Ui& ui);
void keys_panel(App& app, Ui& ui);

// The list of strategies of the selected module, where it was opened: ImGui::OpenPopup("strategies").
void strategy_popup(App& app, Ui& ui);

// True, and says why, where the panel has nothing to show: no model, an input that cannot be used, a plan that stops.
bool no_data(App& app, Ui& ui, bool needs_times = false);

// Over everything else.
void palette_window(App& app, Ui& ui);
void file_window(App& app, Ui& ui);
void start_page(App& app, Ui& ui);
void kpi_strip(App& app, Ui& ui);
void close_window(App& app, Ui& ui);  // the question about unsaved edits
void find_bar(App& app, Ui& ui);

}  // namespace tpsim::gui
