// The strip of headline figures, the start page, and the windows over everything else.
#include <algorithm>
#include <filesystem>

#include "cli/text.h"
#include "gui/view/frame.h"
#include "gui/view/keys.h"

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

void figure_cell(App& app, Ui& ui, const Figure& f, std::size_t index, ImVec2 size) {
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
  const float x = low.x + ui.px(13), line = ImGui::GetTextLineHeight();
  list->AddText({x, low.y + ui.px(5)}, ui.color(ui.theme->dim), (f.name + (f.is_bad ? "  !" : "")).c_str());
  list->AddText(ui.fonts.bold, ui.fonts.bold->FontSize * 1.15F, {x, low.y + ui.px(6) + line}, ui.color(ui.theme->text),
                f.value.c_str());
  const std::string difference = f.difference.empty() ? "B is the same" : "vs B  " + f.difference;
  list->AddText({x, low.y + ui.px(12) + 2 * line}, ui.color(trend_color(ui, f.trend)), difference.c_str());
  list->PopClipRect();
  ui.tip(f.explanation);
  if (pressed) app.view.bottom = kExplains[index];
}

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

void open_builtin(App& app, const std::string& id) {
  Edit edit{"open " + id, app.document()};
  edit.next.model = id;
  apply(app, std::move(edit));
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
  const float gap = ui.px(6), width = ImGui::GetContentRegionAvail().x - 5 * gap,
              height = 3 * ImGui::GetTextLineHeight() + ui.px(18);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (i > 0) ImGui::SameLine(0, gap);
    figure_cell(app, ui, figures[i], i, {width * shares[i], height});
  }
}

void start_page(App& app, Ui& ui) {
  const PathScope scope(ui, "Start");
  ImGui::Dummy({0, ui.px(50)});
  ImGui::Indent(ui.px(60));
  ImGui::PushFont(ui.fonts.bold);
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

void palette_window(App& app, Ui& ui) {
  const PathScope scope(ui, "Palette");
  const float width = ui.px(620);
  ImGui::SetNextWindowPos({ImGui::GetIO().DisplaySize.x / 2 - width / 2, ui.px(90)});
  ImGui::SetNextWindowSize({width, ui.px(460)});
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
      asides.emplace_back(b.keys);
    }
  }
  const int chosen = choose(app, ui, candidates, asides);
  ImGui::End();
  if (chosen < 0) return;
  app.view.palette = app.view.finder = false;
  if (modules) select(app, candidates[static_cast<std::size_t>(chosen)]);
  if (!modules) perform(app, bindings()[static_cast<std::size_t>(chosen)].action);
}

void file_window(App& app, Ui& ui) {
  const PathScope scope(ui, "File");
  const float width = ui.px(680);
  ImGui::SetNextWindowPos({ImGui::GetIO().DisplaySize.x / 2 - width / 2, ui.px(90)});
  ImGui::SetNextWindowSize({width, ui.px(500)});
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

void keys_panel(App&, Ui& ui) {
  ui.wrapped(
      "Letters act while no text field has the focus. Space, held, shows the baseline B in every panel. Screen readers "
      "cannot read this window: tpsim report and compare give the same content as text.",
      ui.theme->dim);
  if (!ImGui::BeginTable("keys", 2, ImGuiTableFlags_RowBg | ImGuiTableFlags_SizingFixedFit)) return;
  for (const Binding& b : bindings()) {
    ImGui::TableNextRow();
    ImGui::TableSetColumnIndex(0);
    ui.text(std::string(b.keys.empty() ? "(by name)" : b.keys));
    ImGui::TableSetColumnIndex(1);
    ui.text(std::string(b.name));
  }
  ImGui::EndTable();
}

}  // namespace tpsim::gui
