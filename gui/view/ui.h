// Dear ImGui with a memory: every control is registered with its path, rectangle, label, value and state, so that
// scripts and tests can find it. All sizes are scaled with the font.
#pragma once

#include <imgui.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table.h"
#include "gui/model/theme.h"
#include "gui/view/app.h"

namespace tpsim::gui {

struct Item {
  std::string path, kind, label, value;
  float x = 0, y = 0, width = 0, height = 0;
  bool enabled = true, visible = true;
};

struct Fonts {
  ImFont* regular = nullptr;
  ImFont* bold = nullptr;
  ImFont* mono = nullptr;
};

class Ui {
public:
  const Theme* theme = &dark_theme();
  Fonts fonts;
  float scale = 1;
  std::vector<Item> items;  // of this frame

  float px(float at_scale_1) const { return at_scale_1 * scale; }
  ImU32 color(Rgb rgb, float alpha = 1) const;
  ImU32 strategy_color(std::string_view strategy, float alpha = 1) const;

  void push(std::string_view name);  // a level of paths
  void pop();

  bool button(const char* id, const std::string& label, bool enabled = true, const std::string& tip = {},
              bool is_on = false);
  bool checkbox(const char* id, const std::string& label, bool& value);
  bool selectable(const char* id, const std::string& label, bool selected, const std::string& tip = {});
  bool input_text(const char* id, const char* hint, std::string& text, float width = 0);
  bool combo(const char* id, std::string& value, const std::vector<std::string>& choices, float width = 0);
  // Powers of two by the wheel with Ctrl, any number by Ctrl+click.
  bool log_slider(const char* id, std::int64_t& value, std::int64_t low, std::int64_t high, float width = 0);

  void text(const std::string& text);
  void dim(const std::string& text);
  void colored(const std::string& text, Rgb color);
  void wrapped(const std::string& text, std::optional<Rgb> color = {});
  void heading(const std::string& text);
  void tip(const std::string& text);  // of the last item, after a moment
  // A letter and a word on the strategy's colour.
  void chip(const std::string& strategy);
  // What stands in a panel without data; true if its button was pressed.
  bool empty_state(const std::string& why, const char* button_label = nullptr);
  void banner(const std::string& text, Rgb color);

  // On the same line where `width` more pixels fit there, else on the next.
  void flow(float width, float gap);
  void flow_button(const std::string& label, float gap = 4) { flow(button_width(label), gap); }
  float button_width(const std::string& label) const;
  // Registers a rectangle drawn by hand. `kind`: "node", "bar", ...
  void add(std::string_view id, const char* kind, const std::string& label, const std::string& value, ImVec2 low,
           ImVec2 high);
  void add_last(std::string_view id, const char* kind, const std::string& label, const std::string& value,
                bool enabled = true);

private:
  std::string path_;
  std::vector<std::size_t> lengths_;
};

class PathScope {
public:
  PathScope(Ui& ui, std::string_view name) : ui_(ui) { ui_.push(name); }
  ~PathScope() { ui_.pop(); }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

private:
  Ui& ui_;
};

// Sorted by a click on a header; the row that was clicked, or -1. `paths` names rows for scripts, may be empty.
int draw_table(Ui& ui, App& app, const char* id, const cli::Table& table, const std::vector<std::string>& paths = {},
               int selected = -1, const std::vector<std::string>& hidden = {});

std::vector<std::string> first_cells(const cli::Table& table, std::size_t column);

void apply_style(Ui& ui);
// Pattern beside the colour: 0 none, then hatches of several directions.
void hatch(ImDrawList* list, ImVec2 low, ImVec2 high, int pattern, ImU32 color, float step);

}  // namespace tpsim::gui
