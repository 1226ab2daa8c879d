// The state of the running visualizer. Panels read it and call edits; nothing in it knows how it is drawn.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gui/model/actions.h"
#include "gui/model/config_fields.h"
#include "gui/model/figures.h"
#include "gui/model/graph.h"
#include "gui/model/history.h"
#include "gui/model/measured.h"
#include "gui/model/modules.h"
#include "gui/model/results.h"
#include "gui/model/timeline.h"
#include "gui/model/what_if.h"

namespace tpsim::gui {

enum class Overlay { strategy, memory, time, communication, error };
enum class VolumeUnit { step, layer, token };
enum class PhaseShown { prefill, decode };

struct TableState {
  int sort_column = -1;
  bool descending = false;
  std::string filter;
};

enum class Fit { none, width, selection, all };

struct GraphView {
  float x = 0, y = 0, zoom = 1;
  Fit fit = Fit::width;    // asked for, done by the next frame
  Fit shown = Fit::width;  // what the picture is until it is moved
  int node = -1;           // the last one clicked or walked to
  std::set<std::size_t> unfolded;
  std::size_t unfoldings = 0;   // changes of `unfolded`
  float width = 1, height = 1;  // of the canvas, in pixels
};
inline constexpr float kLeastZoom = 0.02F, kMostZoom = 4, kGraphMargin = 14;

enum class LaneSide { predicted, measured, trace };
struct PickedSpan {
  LaneSide side = LaneSide::predicted;
  std::size_t track = 0, span = 0;
  bool operator==(const PickedSpan&) const = default;
};
struct TimeWindow {
  double begin = 0, end = 0;                 // us; equal = all
  std::optional<double> mark_from, mark_to;  // rulers, or the area that is selected
  std::optional<double> mark;                // M: the event that is measured from
  std::optional<double> hovered;             // begin of the event under the pointer
  std::optional<PickedSpan> picked;          // clicked last
  std::array<std::optional<std::pair<double, double>>, 10> bookmarks;
  int rank = -1;  // shown alone; -1 = all
  bool predicted = true, measured = true, flows = true;
};

// What is looked for in the panel in the middle or below.
struct FindState {
  bool open = false, focus = false;
  std::string text;
  int at = 0, count = 0, shown_at = -1;
};

// How the window is arranged and what is picked in it: all that is not the document.
struct View {
  std::string theme = "dark";
  float font_scale = 1;
  std::string left = "setup";                                 // the tab on the left where there is little room
  std::string single = "graph";                               // the panel beside it, which follows center and bottom
  std::string last_center = "graph", last_bottom = "memory";  // as `single` has seen them
  std::string center = "graph", bottom = "memory", alone;     // `alone`: one panel over everything
  float left_width = 300, right_width = 340, bottom_height = 250;  // at scale 1
  std::string selected;                                            // path of a module
  int layer = -1;                                                  // of it, where one is drawn alone
  std::vector<std::string> visited;                                // selections, oldest first
  std::size_t visited_at = 0;
  std::string canvas = "graph";  // "graph", "timeline": where zoom and pan keys go
  bool close_asked = false;      // the question about unsaved edits is open
  bool is_full_screen = false;
  VolumeUnit volume = VolumeUnit::step;
  FindState find;
  int selected_problem = -1;
  int solo_rank = -1;
  bool heads = true, to_scale = true, changed_only = true, show_b = false;
  Scope scope = Scope::rule;
  Overlay overlay = Overlay::strategy;
  PhaseShown phase = PhaseShown::decode;
  GraphView graph;
  TimeWindow time;
  bool palette = false, finder = false, help = false, file_dialog = false;
  bool saving = false;  // the file dialog saves
  std::string typed;    // in the palette, finder or file dialog
  int palette_row = 0;
  std::string module_filter, model_filter, config_filter;
  std::string picture_panel = "window";       // what the export panel draws
  std::map<std::string, std::string> drafts;  // of form fields that are being typed in
  std::map<std::string, TableState> tables;
  std::string message;  // of the status line
  int message_frames = 0;
  std::optional<std::string> plan_draft;  // text of the plan being typed, where it cannot be read
};

// Results of runs and traces that were opened beside the prediction.
struct Measured {
  std::shared_ptr<const Timeline> trace;
  std::string trace_name;
  std::optional<Value> run;  // a document of tpsim run or validate
  std::string run_name;
  std::optional<cli::StoredRun> stored;  // where the run was measured
  std::size_t loads = 0;
  std::string hardware = "generic-cpu", profile;  // what the run is held against
  std::string held_key;                           // of `held` or `error`
  std::shared_ptr<const HeldRun> held;
  std::optional<Error> error;
  bool wants_calibration = false;
  std::optional<Timeline> prefill, decode;  // of the run, where it is about the document
};

// A picture that is to be written after this frame.
struct Picture {
  std::string file = "tpsim.png";
  float scale = 1;
  std::string panel;  // "" = the window
};

struct App;
using Outcome = std::function<void(App&)>;

struct App {
  History history;
  Results results;
  View view;
  WhatIf what_if;
  Measured measured;
  std::string project_file;
  Document saved;  // as it lies on disk
  std::vector<std::string> recent;
  std::vector<std::string> model_ids, hardware, stacks;
  bool quit = false;
  std::optional<Picture> want_picture;
  bool threads = false;              // slow work goes on beside the frames
  std::vector<std::string> to_open;  // files that wait for their task
  std::vector<std::string> at_work;  // names of tasks that run
  bool cancel_work = false;
  KeyMap keys;
  std::string clipboard;  // what was copied last

  // Derived from the shown report, made anew with it.
  std::size_t derived_from = 0;
  std::vector<ModuleRow> modules;
  GraphDrawing graph;
  std::optional<Timeline> prefill, decode;
  std::vector<ConfigField> config;
  std::size_t config_version = 0;

  const Document& document() const { return history.current(); }
  // What panels show: A, or B while the key for it is held.
  const cli::Report* shown() const;
  const ModuleRow* selected_row() const;
  double time_total() const;  // us, of what the timeline shows
  bool has_unsaved_edits() const { return !document().model.empty() && !(document() == saved); }
};

App make_app(Document first);
void apply(App& app, Edit edit, const std::string& merge_key = {});
// Brings results and what is derived from them up to date; true if anything changed.
bool update(App& app);
void perform(App& app, Action action);
// As if dropped on the window: config.json, folder, checkpoint, plan, project, result, trace.
void open_path(App& app, const std::string& path);
// Reads and understands a file; what it gives puts it in its place, or says why not.
Outcome read_path(const std::string& path);
// Puts a file on top of the recent ones.
void remember(App& app, const std::string& path);
void save_project(App& app, const std::string& path);
// Selects a module (of one layer), and remembers it for going back.
void select(App& app, const std::string& path, int layer = -1);
void select_pattern(App& app, const std::string& pattern);
void say(App& app, std::string message);
void set_workspace(App& app, std::string_view name);

extern const std::vector<std::string> kCenterPanels, kBottomPanels, kWorkspaces;

}  // namespace tpsim::gui
