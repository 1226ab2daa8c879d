#include "gui/view/app.h"

#include <algorithm>

#include "cli/text.h"
#include "core/model_source.h"
#include "gui/view/navigation.h"

namespace tpsim::gui {
namespace {

const cli::Report* side_b(const App& app) { return app.results.b.report.get(); }

void apply_first_fix(App& app) {
  const auto& report = app.results.a.report;
  if (!report || report->problems.empty()) return say(app, "no problem to mend");
  const auto at =
      static_cast<std::size_t>(std::clamp(app.view.selected_problem, 0, static_cast<int>(report->problems.size()) - 1));
  for (const Fix& fix : report->problems[at].diagnostic.fixes)
    if (!fix.patch.empty()) return apply(app, edit_plan(app.document(), report->scenario, fix.patch, fix.title));
  say(app, report->problems[at].diagnostic.code + " has no fix that is an edit of the plan");
}

void step_plan(App& app, int by) {
  Edit edit{"show plan", app.document()};
  const auto n = static_cast<int>(edit.next.plans.size());
  edit.next.edited = (edit.next.edited + by + n) % n;
  edit.name += " " + edit.next.plan_a().name;
  apply(app, std::move(edit));
}

// Asks once where edits or work would be lost.
void ask_to_quit(App& app) {
  const bool asks = (app.has_unsaved_edits() || !app.at_work.empty()) && !app.view.close_asked;
  app.view.close_asked = asks;
  app.quit = !asks;
}

void clear(App& app) {
  View& v = app.view;
  if (v.palette || v.finder || v.help || v.file_dialog || v.find.open || v.close_asked) {
    v.palette = v.finder = v.help = v.file_dialog = v.find.open = v.close_asked = false;
  } else if (!v.selected.empty() || v.solo_rank >= 0) {
    v.selected.clear();
    v.layer = v.solo_rank = -1;
  }
}

void scale_font(App& app, float factor) { app.view.font_scale = std::clamp(app.view.font_scale * factor, 0.75F, 2.5F); }

void show_file_dialog(App& app, bool saving) {
  app.view.file_dialog = true;
  app.view.saving = saving;
  app.view.typed = saving ? (app.project_file.empty() ? "plan.tpsim.json" : app.project_file) : "";
}

void toggle(bool& flag) { flag = !flag; }

void perform_view(App& app, Action action) {
  View& v = app.view;
  using enum Action;
  switch (action) {
    case palette:
      v.palette = true;
      v.finder = false;
      v.typed.clear();
      v.palette_row = 0;
      break;
    case find_module:
      v.finder = true;
      v.palette = false;
      v.typed.clear();
      v.palette_row = 0;
      break;
    case help: toggle(v.help); break;
    case Action::export_panel: v.bottom = "export"; break;
    case cycle_overlay: v.overlay = static_cast<Overlay>((static_cast<int>(v.overlay) + 1) % 5); break;
    case Action::fit: gui::fit(app); break;
    case Action::fit_all: gui::fit_all(app); break;
    case font_larger: scale_font(app, 1.1F); break;
    case font_smaller: scale_font(app, 1 / 1.1F); break;
    case font_reset: v.font_scale = 1; break;
    case toggle_theme: v.theme = v.theme == "dark" ? "light" : "dark"; break;
    case head_grid: toggle(v.heads); break;
    case maximise: v.alone = v.alone.empty() ? v.center : ""; break;
    case zoom_in: zoom(app, 1.25F); break;
    case zoom_out: zoom(app, 0.8F); break;
    case pan_left: pan(app, -0.1F, 0); break;
    case pan_right: pan(app, 0.1F, 0); break;
    case pan_up: pan(app, 0, -0.1F); break;
    case pan_down: pan(app, 0, 0.1F); break;
    case zoom_start: go_to_end(app, false); break;
    case zoom_end: go_to_end(app, true); break;
    case mark: mark_event(app); break;
    case Action::measure: gui::measure(app); break;
    case follow_edge: walk_edge(app, true); break;
    case follow_back: walk_edge(app, false); break;
    case next_group: step_group(app, true); break;
    case previous_group: step_group(app, false); break;
    case view_back: step_back(app, -1); break;
    case view_forward: step_back(app, 1); break;
    case Action::find: v.find = {true, true, v.find.text, 0, 0, -1}; break;
    case find_next: ++v.find.at; break;
    case find_previous: --v.find.at; break;
    case full_screen: toggle(v.is_full_screen); break;
    case reset_layout: {
      View fresh;
      v.left_width = fresh.left_width;
      v.right_width = fresh.right_width;
      v.bottom_height = fresh.bottom_height;
      v.alone.clear();
      break;
    }
    default: break;
  }
}

// Tracks of the open run, where it is about what is shown.
void measure_timelines(App& app) {
  Measured& m = app.measured;
  m.prefill.reset();
  m.decode.reset();
  if (!m.held || !is_about(app.document(), m.held->run)) return;
  const PassMeasurement *prefill = pass_of(m.held->run, "prefill"), *decode = pass_of(m.held->run, "decode");
  const cli::SizeResult& size = app.shown()->results.front();
  if (prefill != nullptr && size.prefill) m.prefill = cli::measured_timeline(size.prefill->analysis, *prefill);
  if (decode != nullptr && size.decode) m.decode = cli::measured_timeline(size.decode->analysis, *decode);
}

}  // namespace

const std::vector<std::string> kCenterPanels = {"graph", "shards", "plan_text", "compare", "what_if"};
const std::vector<std::string> kBottomPanels = {"problems", "memory",   "communication", "timeline",
                                                "roofline", "speed_up", "validation",    "log",
                                                "export",   "hardware", "config"};
const std::vector<std::string> kWorkspaces = {"plan", "compare", "timeline", "sweep", "validate"};

const cli::Report* App::shown() const {
  if (view.show_b && results.b.report) return side_b(*this);
  return results.shown();
}

double App::time_total() const {
  const auto& chosen = view.phase == PhaseShown::prefill && prefill ? prefill : decode ? decode : prefill;
  const double predicted = chosen ? chosen->total : 0;
  return measured.trace ? std::max(predicted, measured.trace->total) : predicted;
}

const ModuleRow* App::selected_row() const {
  for (const ModuleRow& row : modules)
    if (row.path == view.selected) return &row;
  return nullptr;
}

App make_app(Document first) {
  App app;
  app.history = History(std::move(first));
  for (const KnownConfig& known : known_configs()) app.model_ids.push_back(known.id);
  app.hardware = hardware_names();
  app.stacks = stack_names();
  app.saved = app.document();
  return app;
}

void apply(App& app, Edit edit, const std::string& merge_key) {
  app.history.apply(std::move(edit.name), std::move(edit.next), merge_key);
}

void say(App& app, std::string message) {
  constexpr int eight_seconds = 480;
  app.view.message = std::move(message);
  app.view.message_frames = eight_seconds;
}

bool update(App& app) {
  // An evaluation that was slow before, or of a model that is yet to be read, is a task.
  constexpr double at_once_ms = 8;
  const bool later = app.threads && app.results.a.report && app.results.refresh_ms > at_once_ms;
  const bool changed = !later && refresh(app.results, app.document());
  const std::size_t version =
      (app.results.refreshes * 64 + app.view.graph.unfoldings) * 2 + (app.view.show_b ? 1 : 0) + 1;
  if (app.derived_from == version) return changed;
  app.derived_from = version;
  app.modules.clear();
  app.graph = {};
  app.prefill.reset();
  app.decode.reset();
  const cli::Report* report = app.shown();
  if (report == nullptr) return true;
  const cli::SizeResult& size = report->results.front();
  app.modules = module_tree(size.forward);
  app.graph = draw_graph(size, app.modules, app.view.graph.unfolded);
  app.view.graph.node = -1;
  if (size.prefill) app.prefill = predicted_timeline(*size.prefill);
  if (size.decode) app.decode = predicted_timeline(*size.decode);
  measure_timelines(app);
  if (!app.view.selected.empty() && app.selected_row() == nullptr) {
    const int row = find_module(app.modules, app.view.selected);
    app.view.selected = row < 0 ? "" : app.modules[static_cast<std::size_t>(row)].path;
  }
  return true;
}

void set_workspace(App& app, std::string_view name) {
  View& v = app.view;
  v.alone.clear();
  v.bottom_height = 250;
  if (name == "plan") v.center = "graph", v.bottom = "memory";
  if (name == "compare") v.center = "compare", v.bottom = "memory";
  if (name == "timeline") v.center = "graph", v.bottom = "timeline", v.bottom_height = 430;
  if (name == "sweep") v.center = "compare", v.bottom = "speed_up", v.bottom_height = 430;
  if (name == "validate") v.center = "graph", v.bottom = "validation", v.bottom_height = 360;
}

void perform(App& app, Action action) {
  using enum Action;
  const auto first_tab = static_cast<int>(tab_1), first_workspace = static_cast<int>(workspace_1),
             n = static_cast<int>(action);
  if (n >= first_tab && n < first_tab + 8) {
    app.view.bottom = kBottomPanels[static_cast<std::size_t>(n - first_tab)];
    return;
  }
  if (n >= first_workspace && n < first_workspace + 5)
    return set_workspace(app, kWorkspaces[static_cast<std::size_t>(n - first_workspace)]);
  switch (action) {
    case open: return show_file_dialog(app, false);
    case save:
      if (app.project_file.empty()) return show_file_dialog(app, true);
      return save_project(app, app.project_file);
    case save_as: return show_file_dialog(app, true);
    case undo: return say(app, app.history.undo() ? "undone" : "nothing to undo");
    case redo: return say(app, app.history.redo() ? "redone" : "nothing to redo");
    case copy_command:
      app.clipboard = command_line(app.document(), Side::a, "plan.json");
      return say(app, "copied: " + app.clipboard);
    case snapshot: app.want_picture = Picture{}; return;
    case quit: return ask_to_quit(app);
    case Action::cancel_work:
      app.cancel_work = true;
      app.to_open.clear();
      app.results.sweep_done = app.results.repairs_done = true;
      return say(app, "cancelled");
    case next_problem: return step_problem(app, 1);
    case previous_problem: return step_problem(app, -1);
    case apply_fix: return apply_first_fix(app);
    case next_module: return step_module(app, 1);
    case previous_module: return step_module(app, -1);
    case next_plan: return step_plan(app, 1);
    case previous_plan: return step_plan(app, -1);
    case close_plan: return apply(app, remove_plan(app.document(), static_cast<std::size_t>(app.document().edited)));
    case swap_sides: return apply(app, gui::swap_sides(app.document()));
    case make_baseline: return apply(app, gui::make_baseline(app.document()));
    case Action::clear: return gui::clear(app);
    default: return perform_view(app, action);
  }
}

}  // namespace tpsim::gui
