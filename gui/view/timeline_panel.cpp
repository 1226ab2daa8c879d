#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "gui/view/frame.h"
#include "gui/view/timeline_canvas.h"

namespace tpsim::gui {
namespace {

constexpr float kOverview = 18;
constexpr int kMostRanks = 64;

struct Shown {
  const Timeline *predicted = nullptr, *measured = nullptr, *trace = nullptr;
  const Timeline* first() const { return predicted ? predicted : measured ? measured : trace; }
};

Shown shown_of(const App& app) {
  const bool prefill = (app.view.phase == PhaseShown::prefill && app.prefill) || !app.decode;
  const auto& predicted = prefill ? app.prefill : app.decode;
  const auto& measured = prefill ? app.measured.prefill : app.measured.decode;
  Shown shown;
  if (predicted) shown.predicted = &*predicted;
  if (measured && app.view.time.measured) shown.measured = &*measured;
  if (app.view.time.measured) shown.trace = app.measured.trace.get();
  const bool others = shown.measured != nullptr || shown.trace != nullptr;
  if (!app.view.time.predicted && others) shown.predicted = nullptr;
  return shown;
}

void add_lanes(std::vector<Lane>& lanes, const Timeline& timeline, const Timeline* other, LaneSide side, int rank,
               const std::string& prefix) {
  for (std::size_t t = 0; t < timeline.tracks.size(); ++t)
    lanes.push_back({prefix + timeline.tracks[t].name,
                     &timeline,
                     &timeline.tracks[t],
                     other,
                     {side, t, 0},
                     rank,
                     side == LaneSide::predicted && t == cli::kCommunicationTrack});
}

std::vector<Lane> lanes_of(const App& app, const Shown& shown) {
  std::vector<Lane> lanes;
  const int ranks = shown.predicted ? std::min(shown.predicted->ranks, kMostRanks) : 0;
  for (int rank = 0; rank < ranks; ++rank) {
    if (app.view.time.rank >= 0 && app.view.time.rank != rank) continue;
    add_lanes(lanes, *shown.predicted, shown.measured, LaneSide::predicted, rank, "r" + std::to_string(rank) + " ");
    const bool first = rank == std::max(app.view.time.rank, 0);
    if (shown.measured && first) add_lanes(lanes, *shown.measured, shown.predicted, LaneSide::measured, rank, "meas ");
  }
  if (shown.measured && ranks == 0) add_lanes(lanes, *shown.measured, shown.predicted, LaneSide::measured, 0, "meas ");
  if (shown.trace) add_lanes(lanes, *shown.trace, nullptr, LaneSide::trace, 0, "trace ");
  return lanes;
}

void overview_spans(Ui& ui, const Timeline& timeline, double total, ImVec2 low, float plot, float height) {
  ImDrawList* const list = ImGui::GetWindowDrawList();
  const auto at = [&](double us) { return low.x + plot * static_cast<float>(us / total); };
  for (const Track& track : timeline.tracks)
    for (const VisibleSpan& v : visible_spans(track, 0, total, total / static_cast<double>(plot) * 3)) {
      const Rgb rgb = ui.theme->strategy[color_of(track.spans[static_cast<std::size_t>(v.first)].kind)];
      list->AddRectFilled({at(v.begin), low.y}, {std::max(at(v.end), at(v.begin) + 1), low.y + height},
                          ui.color(rgb, 0.4F));
    }
}

void overview(App& app, Ui& ui, const Timeline& timeline, double total, float width) {
  const ImVec2 cursor = ImGui::GetCursorScreenPos();
  const ImVec2 low(cursor.x + ui.px(kLaneNames), cursor.y);
  const float plot = std::max(width - ui.px(kLaneNames + kLaneShares), 10.0F), height = ui.px(kOverview);
  ImDrawList* const list = ImGui::GetWindowDrawList();
  list->AddRectFilled(low, {low.x + plot, low.y + height}, ui.color(ui.theme->raised));
  overview_spans(ui, timeline, total, low, plot, height);
  TimeWindow& w = app.view.time;
  const auto at = [&](double us) { return low.x + plot * static_cast<float>(std::clamp(us / total, 0.0, 1.0)); };
  if (w.end > w.begin)
    list->AddRect({at(w.begin), low.y}, {std::max(at(w.end), at(w.begin) + 2), low.y + height},
                  ui.color(ui.theme->accent), 0, 0, ui.px(2));
  for (std::size_t i = 0; i < w.bookmarks.size(); ++i)
    if (w.bookmarks[i])
      list->AddText({at(w.bookmarks[i]->first) + ui.px(2), low.y}, ui.color(ui.theme->text), std::to_string(i).c_str());
  list->AddText({cursor.x, low.y + ui.px(1)}, ui.color(ui.theme->dim), "overview");
  ImGui::SetCursorScreenPos(low);
  ImGui::InvisibleButton("overview", {plot, height});
  ui.add_last("overview", "canvas", "", "");
  if (ImGui::IsItemActive() && w.end > w.begin) {
    const double share = static_cast<double>((ImGui::GetIO().MousePos.x - low.x) / plot), half = (w.end - w.begin) / 2;
    w.begin = share * total - half;
    w.end = share * total + half;
  }
  ImGui::SetCursorScreenPos({cursor.x, low.y + height + ui.px(4)});
}

void selected_area(App& app, Ui& ui, const Timeline& timeline) {
  const TimeWindow& w = app.view.time;
  const double begin = std::min(*w.mark_from, *w.mark_to), end = std::max(*w.mark_from, *w.mark_to);
  ui.text("selected " + cli::time_text((end - begin) * 1e-6));
  ImGui::SameLine();
  ui.dim("F fits it, Shift+M clears it");
  cli::Table table;
  table.columns = {{"op", "operation", false, 0},  {"count", "count", true, 0}, {"sum", "sum", true, 0},
                   {"min", "min", true, 0},        {"mean", "mean", true, 0},   {"max", "max", true, 0},
                   {"share", "of window", true, 0}};
  for (const WindowSum& s : sum_window(timeline, begin, end)) {
    const auto us = [](double v) { return cli::cell(v, 3, cli::time_text(v * 1e-6)); };
    cli::Row row;
    row.cells = {cli::cell(s.text),
                 cli::cell(static_cast<std::int64_t>(s.count)),
                 us(s.sum),
                 us(s.least),
                 us(s.sum / static_cast<double>(s.count)),
                 us(s.most),
                 cli::cell(s.sum / (end - begin), 4, percent_text(s.sum / (end - begin)))};
    table.rows.push_back(std::move(row));
  }
  draw_table(ui, app, "selection", table);
}

const Timeline* timeline_of(const Shown& shown, LaneSide side) {
  switch (side) {
    case LaneSide::predicted: return shown.predicted;
    case LaneSide::measured: return shown.measured;
    case LaneSide::trace: return shown.trace;
  }
  return nullptr;
}

// The event that was clicked last, in one line.
void picked_line(const App& app, Ui& ui, const Shown& shown) {
  const auto& picked = app.view.time.picked;
  const Timeline* const timeline = picked ? timeline_of(shown, picked->side) : nullptr;
  if (timeline == nullptr || picked->track >= timeline->tracks.size() ||
      picked->span >= timeline->tracks[picked->track].spans.size())
    return ui.dim("click an event; drag selects an area; Shift, right or middle drag pans; M marks, Shift+M measures");
  const Lane lane{"",
                  timeline,
                  &timeline->tracks[picked->track],
                  picked->side == LaneSide::predicted ? shown.measured : shown.predicted,
                  *picked,
                  0,
                  false};
  std::string text = span_text(lane, lane.track->spans[picked->span]);
  std::replace(text.begin(), text.end(), '\n', ' ');
  ui.text(text);
  ui.add_last("picked", "text", text, "");
}

void show_choices(App& app, Ui& ui, const Shown& shown) {
  TimeWindow& w = app.view.time;
  const bool has_measured = app.measured.prefill || app.measured.decode || app.measured.trace;
  if (has_measured) {
    ui.flow_button("predicted", 12);
    ui.checkbox("predicted", "predicted", w.predicted);
    ui.flow_button("measured", 8);
    ui.checkbox("measured", "measured", w.measured);
  }
  ui.flow_button("flow lines", 12);
  ui.checkbox("flows", "flow lines", w.flows);
  if (shown.predicted == nullptr || shown.predicted->ranks < 2) return;
  std::vector<std::string> ranks = {"all ranks"};
  for (int r = 0; r < std::min(shown.predicted->ranks, kMostRanks); ++r) ranks.push_back("rank " + std::to_string(r));
  std::string now = ranks[static_cast<std::size_t>(std::clamp(w.rank + 1, 0, static_cast<int>(ranks.size()) - 1))];
  ui.flow(ui.px(110), 8);
  if (ui.combo("rank", now, ranks, ui.px(110)))
    w.rank = static_cast<int>(std::find(ranks.begin(), ranks.end(), now) - ranks.begin()) - 1;
}

std::string summary(const App& app, const Shown& shown) {
  if (shown.predicted == nullptr) return "";
  const Timeline& t = *shown.predicted;
  std::string text = (app.view.phase == PhaseShown::prefill ? "prefill " : "decode step ") +
                     cli::time_text(t.total * 1e-6) + ", " +
                     cli::plural(static_cast<std::int64_t>(t.events()), "event") + " on " +
                     cli::plural(t.ranks, "rank") + " (times of the heaviest)";
  for (const auto& [name, other] : {std::pair<std::string, const Timeline*>{app.measured.run_name, shown.measured},
                                    {app.measured.trace_name, shown.trace}})
    if (other != nullptr)
      text += "   " + name + " " + cli::time_text(other->total * 1e-6) + " (predicted " +
              percent_text(t.total / std::max(other->total, 1e-9) - 1) + ")";
  return text;
}

void toolbar(App& app, Ui& ui, const Shown& shown) {
  for (const auto& [name, phase] :
       {std::pair<const char*, PhaseShown>{"prefill", PhaseShown::prefill}, {"decode", PhaseShown::decode}}) {
    if (phase == PhaseShown::decode) ui.flow_button(name);
    if (ui.button(name, name, true, "", app.view.phase == phase)) {
      app.view.phase = phase;
      const TimeWindow kept = app.view.time;
      app.view.time = {};
      app.view.time.rank = kept.rank;
      app.view.time.flows = kept.flows;
    }
  }
  ui.flow_button("fit  F");
  if (ui.button("fit", "fit  F", true, "the selected area; again: everything")) {
    app.view.canvas = "timeline";
    perform(app, Action::fit);
  }
  ui.flow_button("open trace...");
  if (ui.button("trace", "open trace...", true, "a Chrome, Perfetto or PyTorch trace, or a result of tpsim run"))
    perform(app, Action::open);
  show_choices(app, ui, shown);
  ui.wrapped(summary(app, shown), ui.theme->dim);
}

void draw_lanes(App& app, Ui& ui, const std::vector<Lane>& lanes, float width, double total) {
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float top = ui.px(20), height = top + ui.px(kLaneHeight) * static_cast<float>(lanes.size());
  TimeCanvas canvas(app, ui, low, width, total);
  canvas.axis(height);
  const auto y_of = [&](std::size_t i) { return low.y + top + ui.px(kLaneHeight) * static_cast<float>(i); };
  for (std::size_t i = 0; i < lanes.size(); ++i)
    if (ImGui::IsRectVisible({low.x, y_of(i)}, {low.x + width, y_of(i) + ui.px(kLaneHeight)}))
      canvas.lane(lanes[i], y_of(i));
  std::size_t last = lanes.size();
  for (std::size_t i = 0; i < lanes.size() && app.view.time.flows; ++i) {
    if (!lanes[i].joins_ranks) continue;
    if (last < lanes.size() && ImGui::IsRectVisible({low.x, y_of(last)}, {low.x + width, y_of(i)}))
      canvas.flows(lanes[last], y_of(last), y_of(i));
    last = i;
  }
  canvas.interact(low, {width, height});
}

}  // namespace

std::string span_text(const Lane& lane, const Span& s) {
  const bool predicted = lane.place.side == LaneSide::predicted;
  const std::string& module = lane.timeline->module(s);
  const double us = s.end - s.begin;
  std::string text = lane.timeline->text(s);
  if (!module.empty()) text += (s.kind == SpanKind::collective ? " after " : " in ") + module;
  text += "\n" + cli::time_text(us * 1e-6) + (predicted ? " predicted" : " measured") + " at " +
          cli::time_text(s.begin * 1e-6);
  const Span* const other = lane.other ? counterpart(*lane.other, lane.place.track, s) : nullptr;
  const double other_us = other ? other->end - other->begin : 0;
  if (!(other_us > 0) || !(us > 0)) return text;
  const double error = predicted ? us / other_us - 1 : other_us / us - 1;
  return text + (predicted ? ", measured " : ", predicted ") + cli::time_text(other_us * 1e-6) + " (prediction " +
         (error >= 0 ? "+" : "-") + percent_text(std::abs(error)) + ")";
}

void timeline_panel(App& app, Ui& ui) {
  if (!app.measured.trace && no_data(app, ui, true)) return;
  const Shown shown = shown_of(app);
  toolbar(app, ui, shown);
  const Timeline* const first = shown.first();
  if (first == nullptr || first->total <= 0) {
    ui.empty_state("Nothing takes time here.");
    return;
  }
  double total = 0;
  for (const Timeline* t : {shown.predicted, shown.measured, shown.trace}) total = std::max(total, t ? t->total : 0.0);
  const float width = ImGui::GetContentRegionAvail().x - ui.px(14);
  overview(app, ui, *first, total, width);
  const auto lanes = lanes_of(app, shown);
  const TimeWindow& w = app.view.time;
  const bool marked = w.mark_from && w.mark_to && *w.mark_from != *w.mark_to;
  const float room =
      ImGui::GetContentRegionAvail().y - ImGui::GetTextLineHeightWithSpacing() - (marked ? ui.px(150) : 0);
  ImGui::BeginChild("lanes", {0, std::max(room, ui.px(60))});
  draw_lanes(app, ui, lanes, width, total);
  ImGui::EndChild();
  picked_line(app, ui, shown);
  if (marked) selected_area(app, ui, *first);
}

}  // namespace tpsim::gui
