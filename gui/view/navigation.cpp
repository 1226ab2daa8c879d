#include "gui/view/navigation.h"

#include <algorithm>
#include <cmath>

#include "cli/text.h"

namespace tpsim::gui {
namespace {

bool on_timeline(const App& app) { return app.view.canvas == "timeline"; }

// The window in time as it is seen: all of the phase where none is set.
void make_explicit(App& app) {
  TimeWindow& t = app.view.time;
  if (t.end > t.begin) return;
  t.begin = 0;
  t.end = app.time_total();
}

void pan_time(App& app, double share) {
  make_explicit(app);
  TimeWindow& t = app.view.time;
  const double d = (t.end - t.begin) * share;
  t.begin += d;
  t.end += d;
}

void zoom_time(App& app, double factor) {
  make_explicit(app);
  TimeWindow& t = app.view.time;
  const double middle = (t.begin + t.end) / 2, half = std::max((t.end - t.begin) / 2 / factor, 1e-3);
  t.begin = middle - half;
  t.end = middle + half;
}

void select_node(App& app, int node) {
  if (node < 0) return;
  app.view.graph.node = node;
  app.view.graph.fit = Fit::selection;
  const DrawnNode& n = app.graph.nodes[static_cast<std::size_t>(node)];
  if (n.module_row >= 0) select(app, app.modules[static_cast<std::size_t>(n.module_row)].path, n.layer);
}

}  // namespace

void select(App& app, const std::string& path, int layer) {
  View& v = app.view;
  v.layer = layer;
  if (v.selected == path) return;
  v.selected = path;
  if (path.empty()) return;
  if (!v.visited.empty() && v.visited_at + 1 < v.visited.size()) v.visited.resize(v.visited_at + 1);
  v.visited.push_back(path);
  v.visited_at = v.visited.size() - 1;
}

void select_pattern(App& app, const std::string& pattern) {
  const int row = find_module(app.modules, pattern);
  if (row < 0) return;
  select(app, app.modules[static_cast<std::size_t>(row)].path);
  app.view.graph.fit = Fit::selection;
}

void step_back(App& app, int by) {
  View& v = app.view;
  const auto at = static_cast<std::ptrdiff_t>(v.visited_at) + by;
  if (v.visited.empty() || at < 0 || at >= static_cast<std::ptrdiff_t>(v.visited.size()))
    return say(app, by < 0 ? "nothing was selected before" : "this is the last selection");
  v.visited_at = static_cast<std::size_t>(at);
  v.selected = v.visited[v.visited_at];
  v.layer = -1;
  v.graph.fit = Fit::selection;
}

void step_module(App& app, int by) {
  std::vector<const ModuleRow*> leaves;
  for (const ModuleRow& row : app.modules)
    if (row.is_leaf()) leaves.push_back(&row);
  if (leaves.empty()) return;
  const auto at =
      std::find_if(leaves.begin(), leaves.end(), [&](const ModuleRow* r) { return r->path == app.view.selected; });
  const auto n = static_cast<int>(leaves.size());
  const int index = at == leaves.end() ? (by > 0 ? 0 : n - 1) : (static_cast<int>(at - leaves.begin()) + by + n) % n;
  select(app, leaves[static_cast<std::size_t>(index)]->path);
  app.view.graph.fit = Fit::selection;
}

void step_problem(App& app, int by) {
  if (!app.results.a.report || app.results.a.report->problems.empty()) return say(app, "no problems");
  const auto& problems = app.results.a.report->problems;
  const auto n = static_cast<int>(problems.size());
  app.view.selected_problem =
      app.view.selected_problem < 0 ? (by > 0 ? 0 : n - 1) : (app.view.selected_problem + by + n) % n;
  app.view.bottom = "problems";
  const int row =
      find_module(app.modules, problems[static_cast<std::size_t>(app.view.selected_problem)].diagnostic.where);
  if (row < 0) return;
  select(app, app.modules[static_cast<std::size_t>(row)].path);
  app.view.graph.fit = Fit::selection;
}

void walk_edge(App& app, bool forward) {
  int node = app.view.graph.node;
  const ModuleRow* row = app.selected_row();
  if (node < 0 && row != nullptr) node = node_of(app.graph, static_cast<int>(row - app.modules.data()), app.view.layer);
  if (node < 0 && !app.graph.nodes.empty()) node = 0;
  const int next = follow(app.graph, node, forward);
  if (next < 0) return say(app, forward ? "this is the end of the model" : "this is the start of the model");
  select_node(app, next);
}

void step_group(App& app, bool forward) {
  GraphView& g = app.view.graph;
  const int segment = next_segment(app.graph, g.y + kGraphMargin, forward);
  if (segment < 0) return;
  g.y = app.graph.segments[static_cast<std::size_t>(segment)].y - kGraphMargin;
  g.fit = g.shown = Fit::none;
}

void fit(App& app) {
  if (on_timeline(app)) {
    TimeWindow& t = app.view.time;
    const bool area = t.mark_from && t.mark_to && *t.mark_from != *t.mark_to;
    const double begin = area ? std::min(*t.mark_from, *t.mark_to) : 0,
                 end = area ? std::max(*t.mark_from, *t.mark_to) : 0;
    const bool is_there = t.begin == begin && t.end == end;
    t.begin = is_there ? 0 : begin;
    t.end = is_there ? 0 : end;
    return;
  }
  GraphView& g = app.view.graph;
  g.fit = app.view.selected.empty() || g.shown == Fit::selection ? Fit::all : Fit::selection;
}

void fit_all(App& app) {
  app.view.graph.fit = Fit::all;
  app.view.time.begin = app.view.time.end = 0;
}

void zoom(App& app, float factor) {
  if (on_timeline(app)) return zoom_time(app, static_cast<double>(factor));
  GraphView& g = app.view.graph;
  const float next = std::clamp(g.zoom * factor, kLeastZoom, kMostZoom);
  g.x += g.width / 2 * (1 / g.zoom - 1 / next);
  g.y += g.height / 2 * (1 / g.zoom - 1 / next);
  g.zoom = next;
  g.shown = Fit::none;
}

void pan(App& app, float dx, float dy) {
  if (on_timeline(app)) return pan_time(app, static_cast<double>(dx));
  GraphView& g = app.view.graph;
  g.x += dx * g.width / g.zoom;
  g.y += dy * g.height / g.zoom;
  g.shown = Fit::none;
}

void go_to_end(App& app, bool last) {
  if (!on_timeline(app)) {
    GraphView& g = app.view.graph;
    g.y = last ? app.graph.height - g.height / g.zoom + kGraphMargin : -kGraphMargin;
    g.shown = Fit::none;
    return;
  }
  make_explicit(app);
  TimeWindow& t = app.view.time;
  const double width = t.end - t.begin;
  t.begin = last ? app.time_total() - width : 0;
  t.end = t.begin + width;
}

void mark_event(App& app) {
  TimeWindow& t = app.view.time;
  t.mark = t.hovered ? t.hovered : t.mark_from;
  say(app, t.mark ? "marked " + cli::time_text(*t.mark * 1e-6) + ": Shift+M measures from here"
                  : "point at an event of the timeline to mark it");
}

void measure(App& app) {
  TimeWindow& t = app.view.time;
  if (t.mark && t.hovered && *t.mark != *t.hovered) {
    t.mark_from = t.mark;
    t.mark_to = t.hovered;
    return say(app, "measured " + cli::time_text(std::abs(*t.mark_to - *t.mark_from) * 1e-6));
  }
  t.mark_from.reset();
  t.mark_to.reset();
  t.mark.reset();
}

void set_bookmark(App& app, std::size_t digit) {
  make_explicit(app);
  app.view.time.bookmarks[digit] = {app.view.time.begin, app.view.time.end};
  say(app, "bookmark " + std::to_string(digit) + " is this part of the timeline");
}

void use_bookmark(App& app, std::size_t digit) {
  const auto& bookmark = app.view.time.bookmarks[digit];
  if (!bookmark)
    return say(app, "no bookmark " + std::to_string(digit) + ": Shift+" + std::to_string(digit) + " sets it");
  app.view.time.begin = bookmark->first;
  app.view.time.end = bookmark->second;
}

}  // namespace tpsim::gui
