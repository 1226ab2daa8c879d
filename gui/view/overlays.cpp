// Windows over everything: palette and finder, files, the question at the end, the find bar.
#include <algorithm>
#include <filesystem>

#include "cli/text.h"
#include "gui/model/find.h"
#include "gui/view/frame.h"
#include "gui/view/keys.h"
#include "gui/view/navigation.h"

namespace tpsim::gui {
namespace {

std::vector<std::string> finder_paths(const App& app) {
  std::vector<std::string> paths;
  for (const ModuleRow& row : app.modules) paths.push_back(row.path);
  return paths;
}

// The rows that fit, the chosen one marked; its index in `candidates`, or -1.
int choose(App& app, Ui& ui, const std::vector<std::string>& candidates, const std::vector<std::string>& asides) {
  constexpr std::size_t most = 14;
  const auto found = fuzzy_find(app.view.typed, candidates, most);
  const int n = static_cast<int>(found.size());
  if (key_pressed(ImGuiKey_DownArrow)) ++app.view.palette_row;
  if (key_pressed(ImGuiKey_UpArrow)) --app.view.palette_row;
  app.view.palette_row = std::clamp(app.view.palette_row, 0, std::max(n - 1, 0));
  int chosen = -1;
  for (int i = 0; i < n; ++i) {
    const std::size_t c = found[static_cast<std::size_t>(i)];
    if (ui.selectable(candidates[c].c_str(), candidates[c], i == app.view.palette_row)) chosen = static_cast<int>(c);
    if (asides[c].empty()) continue;
    ImGui::SameLine(ImGui::GetWindowWidth() - ui.px(190));
    ui.dim(asides[c]);
  }
  if (n == 0) ui.dim("nothing fits");
  if (n > 0 && key_pressed(ImGuiKey_Enter))
    chosen = static_cast<int>(found[static_cast<std::size_t>(app.view.palette_row)]);
  return chosen;
}

std::vector<std::string> completions(const std::string& typed) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::path path(typed.empty() ? "./" : typed);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const std::string start = path.filename().string();
  std::vector<std::string> found;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end && found.size() < 2000;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(start) || name.starts_with('.')) continue;
    found.push_back(it->path().string() + (it->is_directory(failed) ? "/" : ""));
  }
  std::sort(found.begin(), found.end());
  if (found.size() > 16) found.resize(16);
  return found;
}

// In the middle, at most as large as the display.
void place_window(float width, float height) {
  const ImVec2 display = ImGui::GetIO().DisplaySize;
  const ImVec2 size(std::min(width, display.x), std::min(height, display.y * 0.9F));
  ImGui::SetNextWindowPos({(display.x - size.x) / 2, std::min(display.y * 0.1F, display.y - size.y)});
  ImGui::SetNextWindowSize(size);
}

}  // namespace

void palette_window(App& app, Ui& ui) {
  const PathScope scope(ui, "Palette");
  place_window(ui.px(620), ui.px(460));
  ImGui::Begin("##palette", nullptr, ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove);
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  const bool modules = app.view.finder;
  ui.input_text("text", modules ? "module, layer or projection" : "command", app.view.typed, -1);
  std::vector<std::string> candidates, asides;
  if (modules) {
    candidates = finder_paths(app);
    for (const ModuleRow& row : app.modules) asides.push_back(row.is_leaf() ? row.strategy : "");
  } else {
    for (const Binding& b : bindings()) {
      candidates.emplace_back(b.name);
      asides.emplace_back(keys_of(app.keys, b));
    }
  }
  const int chosen = choose(app, ui, candidates, asides);
  ImGui::End();
  if (chosen < 0) return;
  app.view.palette = app.view.finder = false;
  if (modules) select_pattern(app, candidates[static_cast<std::size_t>(chosen)]);
  if (!modules) perform(app, bindings()[static_cast<std::size_t>(chosen)].action);
}

void file_window(App& app, Ui& ui) {
  const PathScope scope(ui, "File");
  place_window(ui.px(680), ui.px(500));
  ImGui::Begin("##file", nullptr, ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove);
  ui.heading(app.view.saving ? "Save the project as" : "Open a model, plan, project, result or trace");
  if (ImGui::IsWindowAppearing()) ImGui::SetKeyboardFocusHere();
  ui.input_text("path", "path", app.view.typed, -1);
  bool done = key_pressed(ImGuiKey_Enter) && !app.view.typed.empty();
  if (ui.button("ok", app.view.saving ? "Save" : "Open", !app.view.typed.empty())) done = true;
  ImGui::SameLine();
  const bool cancelled = ui.button("cancel", "Cancel");
  for (const std::string& path : completions(app.view.typed))
    if (ui.selectable(path.c_str(), path, false)) app.view.typed = path;
  ImGui::End();
  if (!done && !cancelled) return;
  app.view.file_dialog = false;
  if (done && app.view.saving) save_project(app, app.view.typed);
  if (done && !app.view.saving) open_path(app, app.view.typed);
}

void close_window(App& app, Ui& ui) {
  const PathScope scope(ui, "Close");
  place_window(ui.px(520), ui.px(130));
  ImGui::Begin("##close", nullptr, ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove);
  ui.wrapped(app.has_unsaved_edits() ? "There are edits that are not saved."
                                     : "Work is going on: " + cli::joined(app.at_work, ", "));
  ImGui::Dummy({0, ui.px(6)});
  if (app.has_unsaved_edits()) {
    if (ui.button("save", "Save and close")) {
      app.view.close_asked = false;
      perform(app, Action::save);
      app.quit = !app.view.file_dialog && !app.has_unsaved_edits();
    }
    ui.flow_button("Discard and close");
  }
  if (ui.button("discard", app.has_unsaved_edits() ? "Discard and close" : "Close")) app.quit = true;
  ui.flow_button("Cancel");
  if (ui.button("cancel", "Cancel  Esc")) app.view.close_asked = false;
  ImGui::End();
}

void find_bar(App& app, Ui& ui) {
  const PathScope scope(ui, "Find");
  FindState& f = app.view.find;
  const std::string before = f.text;
  ui.dim("find");
  ImGui::SameLine();
  if (f.focus) ImGui::SetKeyboardFocusHere();
  f.focus = false;
  ui.input_text("text", "name, shape 28672x8192, strategy, code", f.text,
                std::min(ui.px(320), ImGui::GetContentRegionAvail().x * 0.5F));
  const bool entered = ImGui::IsItemFocused() && key_pressed(ImGuiKey_Enter);
  if (entered) ++f.at;
  const cli::Report* report = app.shown();
  const auto hits = report ? find_hits(app.modules, *report, f.text) : std::vector<int>{};
  f.count = static_cast<int>(hits.size());
  if (before != f.text) f.at = 0;
  if (!hits.empty()) {
    f.at = (f.at % f.count + f.count) % f.count;
    if (before != f.text || f.shown_at != f.at)
      select_pattern(app, app.modules[static_cast<std::size_t>(hits[static_cast<std::size_t>(f.at)])].path);
    f.shown_at = f.at;
  }
  ImGui::SameLine();
  ui.dim(f.text.empty() ? "F3 next, Shift+F3 previous, Esc closes"
         : hits.empty() ? "no module is like that"
                        : std::to_string(f.at + 1) + " of " + std::to_string(f.count));
  ui.add_last("count", "text", std::to_string(f.count), "");
  ImGui::SameLine();
  if (ui.button("close", "x")) f.open = false;
}

}  // namespace tpsim::gui
