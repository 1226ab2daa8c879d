#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "gui/view/chart_axes.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

constexpr float kLane = 24, kNames = 76, kOverview = 16;

std::size_t color_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::gemm: return 0;
    case SpanKind::experts: return 5;
    case SpanKind::attention: return 2;
    case SpanKind::small: return 4;
    case SpanKind::collective: return 1;
    case SpanKind::host: return 3;
    case SpanKind::other: return 6;
  }
  return 6;
}

struct Lane {
  std::string name;
  const Timeline* timeline = nullptr;
  const Track* track = nullptr;
  bool measured = false;
};

std::vector<Lane> lanes_of(const App& app, const Timeline* predicted) {
  std::vector<Lane> lanes;
  constexpr int most_ranks = 64;
  for (int rank = 0; predicted != nullptr && rank < std::min(predicted->ranks, most_ranks); ++rank)
    for (const Track& track : predicted->tracks)
      lanes.push_back({"r" + std::to_string(rank) + " " + track.name, predicted, &track, false});
  if (app.measured.trace)
    for (const Track& track : app.measured.trace->tracks)
      lanes.push_back({"meas " + track.name, &*app.measured.trace, &track, true});
  return lanes;
}

class TimeCanvas {
public:
  TimeCanvas(App& app, Ui& ui, ImVec2 low, float width, double total)
      : app_(app), ui_(ui), low_(low), width_(width), window_(app.view.time), list_(ImGui::GetWindowDrawList()) {
    if (window_.end <= window_.begin) {
      window_.begin = 0;
      window_.end = total;
    }
  }

  float x(double us) const {
    return low_.x + ui_.px(kNames) + static_cast<float>((us - window_.begin) / (window_.end - window_.begin)) * plot();
  }
  float plot() const { return std::max(width_ - ui_.px(kNames), 10.0F); }
  double us_at(float px_x) const {
    return window_.begin +
           static_cast<double>((px_x - low_.x - ui_.px(kNames)) / plot()) * (window_.end - window_.begin);
  }

  void axis(float height) {
    for (const double tick : linear_ticks(window_.begin, window_.end, static_cast<int>(plot() / ui_.px(110)))) {
      list_->AddLine({x(tick), low_.y}, {x(tick), low_.y + height}, ui_.color(ui_.theme->line, 0.7F));
      list_->AddText({x(tick) + ui_.px(3), low_.y}, ui_.color(ui_.theme->dim),
                     (tick == 0 ? std::string("0") : cli::time_text(tick * 1e-6)).c_str());
    }
  }

  void lane(const Lane& lane, float y) {
    const float height = ui_.px(kLane - 4);
    list_->AddText({low_.x, y + ui_.px(2)}, ui_.color(ui_.theme->dim), cli::shortened(lane.name, 10).c_str());
    list_->PushClipRect({low_.x + ui_.px(kNames), y}, {low_.x + width_, y + height}, true);
    const double us_per_pixel = (window_.end - window_.begin) / static_cast<double>(plot());
    for (const VisibleSpan& v : visible_spans(*lane.track, window_.begin, window_.end, us_per_pixel * 2))
      span(lane, v, y, height);
    list_->PopClipRect();
  }

  void interact(ImVec2 low, ImVec2 size) {
    ImGui::SetCursorScreenPos(low);
    ImGui::InvisibleButton("time", size);
    ui_.add_last("canvas", "canvas", "", "");
    const ImGuiIO& io = ImGui::GetIO();
    const double at = us_at(io.MousePos.x);
    if (ImGui::IsItemHovered() && io.MouseWheel != 0) {
      const double factor = std::pow(io.KeyCtrl ? 0.95 : 0.8, static_cast<double>(io.MouseWheel));
      window_.begin = at - (at - window_.begin) * factor;
      window_.end = at + (window_.end - at) * factor;
    }
    const double scale = (window_.end - window_.begin) / static_cast<double>(plot());
    const bool pans = ImGui::IsItemHovered() && (ImGui::IsMouseDragging(1) || ImGui::IsMouseDragging(2) ||
                                                 (io.KeyShift && ImGui::IsMouseDragging(0)));
    if (pans) {
      window_.begin -= static_cast<double>(io.MouseDelta.x) * scale;
      window_.end -= static_cast<double>(io.MouseDelta.x) * scale;
    } else if (ImGui::IsItemActivated()) {
      window_.mark_from = window_.mark_to = at;
    } else if (ImGui::IsItemActive()) {
      window_.mark_to = at;
    }
    if (ImGui::IsItemHovered() && ImGui::IsMouseDoubleClicked(0)) window_.begin = window_.end = 0;
    marks(low, size);
  }

private:
  void span(const Lane& lane, const VisibleSpan& v, float y, float height) {
    const Span& s = lane.track->spans[static_cast<std::size_t>(v.first)];
    const ImVec2 a(x(v.begin), y), b(std::max(x(v.end), x(v.begin) + 1), y + height);
    const Rgb rgb = ui_.theme->strategy[color_of(s.kind)];
    list_->AddRectFilled(a, b, ui_.color(rgb, lane.measured ? 0.35F : 0.55F));
    if (v.count > 1) {
      hatch(list_, a, b, 3, ui_.color(ui_.theme->background, 0.5F), ui_.px(4));
    } else if (b.x - a.x > ui_.px(4)) {
      list_->AddRect(a, b, ui_.color(ui_.theme->background, 0.8F));
    }
    const std::string& text = lane.timeline->texts[static_cast<std::size_t>(s.text)];
    const std::string& module = lane.timeline->texts[static_cast<std::size_t>(s.module)];
    const std::string leaf = module.substr(module.rfind('.') + 1);
    const std::string& label = s.kind == SpanKind::gemm && !leaf.empty() ? leaf : text;
    if (v.count == 1 && b.x - a.x > ImGui::CalcTextSize(label.c_str()).x + ui_.px(8))
      list_->AddText({std::max(a.x, low_.x + ui_.px(kNames)) + ui_.px(4), y + ui_.px(1)}, ui_.color(ui_.theme->text),
                     label.c_str());
    if (!ImGui::IsMouseHoveringRect(a, b) || !ImGui::IsWindowHovered()) return;
    ImGui::SetTooltip(
        "%s", v.count > 1 ? (cli::plural(v.count, "event") + ", " + cli::time_text((v.end - v.begin) * 1e-6)).c_str()
                          : (text + "  " + module + "\n" + cli::time_text((v.end - v.begin) * 1e-6) + " at " +
                             cli::time_text(v.begin * 1e-6))
                                .c_str());
    if (!ImGui::IsMouseClicked(0)) return;
    const int row = find_module(app_.modules, module);
    if (row >= 0) app_.view.selected = app_.modules[static_cast<std::size_t>(row)].path;
  }

  void marks(ImVec2 low, ImVec2 size) {
    if (!window_.mark_from || !window_.mark_to) return;
    const float a = x(std::min(*window_.mark_from, *window_.mark_to)),
                b = x(std::max(*window_.mark_from, *window_.mark_to));
    list_->AddRectFilled({a, low.y}, {b, low.y + size.y}, ui_.color(ui_.theme->accent, 0.15F));
    list_->AddLine({a, low.y}, {a, low.y + size.y}, ui_.color(ui_.theme->accent));
    list_->AddLine({b, low.y}, {b, low.y + size.y}, ui_.color(ui_.theme->accent));
  }

  App& app_;
  Ui& ui_;
  ImVec2 low_;
  float width_;
  TimeWindow& window_;
  ImDrawList* list_;
};

void overview(App& app, Ui& ui, const Timeline& timeline, float width) {
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float left = low.x + ui.px(kNames), plot = width - ui.px(kNames), height = ui.px(kOverview);
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled({left, low.y}, {left + plot, low.y + height}, ui.color(ui.theme->raised));
  for (const Track& track : timeline.tracks)
    for (const VisibleSpan& v :
         visible_spans(track, 0, timeline.total, timeline.total / static_cast<double>(plot) * 3)) {
      const auto at = [&](double us) { return left + plot * static_cast<float>(us / timeline.total); };
      list->AddRectFilled(
          {at(v.begin), low.y}, {std::max(at(v.end), at(v.begin) + 1), low.y + height},
          ui.color(ui.theme->strategy[color_of(track.spans[static_cast<std::size_t>(v.first)].kind)], 0.4F));
    }
  const auto at = [&](double us) {
    return left + plot * static_cast<float>(std::clamp(us / timeline.total, 0.0, 1.0));
  };
  if (app.view.time.end > app.view.time.begin)
    list->AddRect({at(app.view.time.begin), low.y}, {at(app.view.time.end), low.y + height}, ui.color(ui.theme->accent),
                  0, 0, ui.px(2));
  list->AddText({low.x, low.y}, ui.color(ui.theme->dim), "overview");
  ImGui::Dummy({width, height + ui.px(2)});
}

void selection(App& app, Ui& ui, const Timeline& timeline) {
  const TimeWindow& w = app.view.time;
  if (!w.mark_from || !w.mark_to || *w.mark_from == *w.mark_to) return;
  const double begin = std::min(*w.mark_from, *w.mark_to), end = std::max(*w.mark_from, *w.mark_to);
  ui.text("selected " + cli::time_text((end - begin) * 1e-6));
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

void toolbar(App& app, Ui& ui, const Timeline* timeline) {
  for (const auto& [name, phase] :
       {std::pair<const char*, PhaseShown>{"prefill", PhaseShown::prefill}, {"decode", PhaseShown::decode}}) {
    if (ui.button(name, name, true, "", app.view.phase == phase)) {
      app.view.phase = phase;
      app.view.time = {};
    }
    ImGui::SameLine(0, ui.px(4));
  }
  if (ui.button("fit", "fit  F")) app.view.time.begin = app.view.time.end = 0;
  ImGui::SameLine();
  if (ui.button("trace", "open trace...")) perform(app, Action::open);
  ImGui::SameLine();
  if (timeline == nullptr) return ui.dim("");
  std::string text = (app.view.phase == PhaseShown::prefill ? "prefill " : "decode step ") +
                     cli::time_text(timeline->total * 1e-6) + ", " +
                     cli::plural(static_cast<std::int64_t>(timeline->events()), "event") + " on " +
                     cli::plural(timeline->ranks, "rank") + " (times of the heaviest)";
  if (app.measured.trace)
    text += "   measured " + app.measured.trace_name + " " + cli::time_text(app.measured.trace->total * 1e-6) + " (" +
            percent_text(app.measured.trace->total / std::max(timeline->total, 1e-9) - 1) + ")";
  ui.dim(text);
}

}  // namespace

void timeline_panel(App& app, Ui& ui) {
  if (!app.measured.trace && no_data(app, ui, true)) return;
  const std::optional<Timeline>& chosen = app.view.phase == PhaseShown::prefill && app.prefill ? app.prefill
                                          : app.decode                                         ? app.decode
                                                                                               : app.prefill;
  const Timeline* timeline = chosen ? &*chosen : nullptr;
  toolbar(app, ui, timeline);
  const Timeline* first = timeline != nullptr ? timeline : app.measured.trace ? &*app.measured.trace : nullptr;
  if (first == nullptr || first->total <= 0) {
    ui.empty_state("Nothing takes time here.");
    return;
  }
  const double total = std::max(first->total, app.measured.trace ? app.measured.trace->total : 0.0);
  const float width = ImGui::GetContentRegionAvail().x - ui.px(14);
  overview(app, ui, *first, width);
  const auto lanes = lanes_of(app, timeline);
  const bool marked =
      app.view.time.mark_from && app.view.time.mark_to && *app.view.time.mark_from != *app.view.time.mark_to;
  const float room = ImGui::GetContentRegionAvail().y - (marked ? ui.px(150) : 0);
  ImGui::BeginChild("lanes", {0, std::max(room, ui.px(60))});
  const ImVec2 low = ImGui::GetCursorScreenPos();
  const float top = ui.px(20), height = top + ui.px(kLane) * static_cast<float>(lanes.size());
  TimeCanvas canvas(app, ui, low, width, total);
  canvas.axis(height);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const float y = low.y + top + ui.px(kLane) * static_cast<float>(i);
    if (ImGui::IsRectVisible({low.x, y}, {low.x + width, y + ui.px(kLane)})) canvas.lane(lanes[i], y);
  }
  canvas.interact(low, {width, height});
  ImGui::EndChild();
  selection(app, ui, *first);
}

}  // namespace tpsim::gui
