#include "gui/view/timeline_canvas.h"

#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "gui/view/chart_axes.h"

namespace tpsim::gui {
namespace {

constexpr double kLeastWindow = 1e-3;  // us

std::string ratio_text(double now, double other) { return "x" + cli::fixed(now / other, 2); }

}  // namespace

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

TimeCanvas::TimeCanvas(App& app, Ui& ui, ImVec2 low, float width, double total)
    : app_(app), ui_(ui), low_(low), width_(width), window_(app.view.time), list_(ImGui::GetWindowDrawList()) {
  if (window_.end <= window_.begin) {
    window_.begin = 0;
    window_.end = total;
  }
  window_.hovered.reset();
}

float TimeCanvas::x(double us) const {
  return low_.x + ui_.px(kLaneNames) +
         static_cast<float>((us - window_.begin) / (window_.end - window_.begin)) * plot();
}
float TimeCanvas::plot() const { return std::max(width_ - ui_.px(kLaneNames + kLaneShares), 10.0F); }
double TimeCanvas::us_at(float px_x) const {
  return window_.begin +
         static_cast<double>((px_x - low_.x - ui_.px(kLaneNames)) / plot()) * (window_.end - window_.begin);
}

void TimeCanvas::axis(float height) {
  for (const double tick : linear_ticks(window_.begin, window_.end, static_cast<int>(plot() / ui_.px(110)))) {
    list_->AddLine({x(tick), low_.y}, {x(tick), low_.y + height}, ui_.color(ui_.theme->line, 0.7F));
    list_->AddText({x(tick) + ui_.px(3), low_.y}, ui_.color(ui_.theme->dim),
                   (tick == 0 ? std::string("0") : cli::time_text(tick * 1e-6)).c_str());
  }
}

void TimeCanvas::lane(const Lane& lane, float y) {
  const float height = ui_.px(kLaneHeight - 4);
  list_->AddText({low_.x, y + ui_.px(2)}, ui_.color(ui_.theme->dim), cli::shortened(lane.name, 11).c_str());
  list_->PushClipRect({low_.x + ui_.px(kLaneNames), y}, {low_.x + ui_.px(kLaneNames) + plot(), y + height}, true);
  const double us_per_pixel = (window_.end - window_.begin) / static_cast<double>(plot());
  for (const VisibleSpan& v : visible_spans(*lane.track, window_.begin, window_.end, us_per_pixel * 2))
    span(lane, v, y, height);
  list_->PopClipRect();
  const std::string share = percent_text(busy_share(*lane.track, window_.begin, window_.end)) + " busy";
  list_->AddText({low_.x + ui_.px(kLaneNames) + plot() + ui_.px(6), y + ui_.px(2)}, ui_.color(ui_.theme->dim),
                 share.c_str());
}

void TimeCanvas::flows(const Lane& from, float y_from, float y_to) {
  const double us_per_pixel = (window_.end - window_.begin) / static_cast<double>(plot());
  list_->PushClipRect({low_.x + ui_.px(kLaneNames), y_from}, {low_.x + ui_.px(kLaneNames) + plot(), y_to}, true);
  for (const VisibleSpan& v : visible_spans(*from.track, window_.begin, window_.end, us_per_pixel * 2)) {
    const float at = x((v.begin + v.end) / 2);
    if (v.count > 1 || x(v.end) - x(v.begin) < ui_.px(3)) continue;
    list_->AddLine({at, y_from + ui_.px(kLaneHeight - 4)}, {at, y_to}, ui_.color(ui_.theme->side_b, 0.55F), ui_.px(1));
  }
  list_->PopClipRect();
}

void TimeCanvas::span(const Lane& lane, const VisibleSpan& v, float y, float height) {
  const Span& s = lane.track->spans[static_cast<std::size_t>(v.first)];
  const ImVec2 a(x(v.begin), y), b(std::max(x(v.end), x(v.begin) + 1), y + height);
  const Rgb rgb = ui_.theme->strategy[color_of(s.kind)];
  const bool faded = lane.place.side != LaneSide::predicted;
  list_->AddRectFilled(a, b, ui_.color(rgb, faded ? 0.25F : 0.5F));
  const float width = b.x - a.x;
  const ImU32 ink = ui_.color(ui_.theme->background, 0.45F);
  if (v.count > 1 && width > ui_.px(8)) hatch(list_, a, b, 3, ink, ui_.px(4));
  if (v.count == 1 && width > ui_.px(12)) hatch(list_, a, b, static_cast<int>(color_of(s.kind)), ink, ui_.px(9));
  if (v.count == 1 && width > ui_.px(4))
    list_->AddRect(a, b, faded ? ui_.color(rgb, 0.9F) : ui_.color(ui_.theme->background, 0.8F));
  const std::string& text = lane.timeline->texts[static_cast<std::size_t>(s.text)];
  if (v.count == 1 && width > ui_.px(24)) {
    const std::string& module = lane.timeline->texts[static_cast<std::size_t>(s.module)];
    const std::string leaf = module.substr(module.rfind('.') + 1);
    std::string label = s.kind == SpanKind::gemm && !leaf.empty() ? leaf : text;
    const Span* predicted = lane.place.side == LaneSide::measured && lane.other != nullptr
                                ? counterpart(*lane.other, lane.place.track, s)
                                : nullptr;
    if (predicted != nullptr && predicted->end > predicted->begin)
      label += " " + ratio_text(s.end - s.begin, predicted->end - predicted->begin);
    const float left = std::max(a.x, low_.x + ui_.px(kLaneNames)) + ui_.px(4);
    const ImVec2 size = ImGui::CalcTextSize(label.c_str());
    if (left + size.x < b.x) {
      list_->AddRectFilled({left - ui_.px(2), y + ui_.px(2)}, {left + size.x + ui_.px(2), y + height - ui_.px(2)},
                           ui_.color(ui_.theme->background, 0.65F), ui_.px(3));
      list_->AddText({left, y + ui_.px(1)}, ui_.color(ui_.theme->text), label.c_str());
    }
  }
  PickedSpan here = lane.place;
  here.span = static_cast<std::size_t>(v.first);
  if (v.count == 1 && window_.picked == here) list_->AddRect(a, b, ui_.color(ui_.theme->text), 0, 0, ui_.px(2));
  if (!ImGui::IsWindowHovered() || !ImGui::IsMouseHoveringRect(a, b)) return;
  window_.hovered = v.begin;
  describe(lane, v);
  if (ImGui::IsMouseClicked(0)) pick(lane, v);
}

void TimeCanvas::describe(const Lane& lane, const VisibleSpan& v) const {
  if (v.count > 1) {
    ImGui::SetTooltip("%s, %s", cli::plural(v.count, "event").c_str(),
                      cli::time_text((v.end - v.begin) * 1e-6).c_str());
    return;
  }
  const Span& s = lane.track->spans[static_cast<std::size_t>(v.first)];
  ImGui::SetTooltip("%s", span_text(lane, s).c_str());
}

void TimeCanvas::pick(const Lane& lane, const VisibleSpan& v) {
  app_.view.canvas = "timeline";
  if (ImGui::IsMouseDoubleClicked(0)) {
    const double margin = (v.end - v.begin) * 0.2 + kLeastWindow;
    window_.begin = v.begin - margin;
    window_.end = v.end + margin;
    return;
  }
  if (v.count > 1) return;
  PickedSpan here = lane.place;
  here.span = static_cast<std::size_t>(v.first);
  window_.picked = here;
  const Span& s = lane.track->spans[here.span];
  const int row = find_module(app_.modules, lane.timeline->texts[static_cast<std::size_t>(s.module)]);
  if (row >= 0) select(app_, app_.modules[static_cast<std::size_t>(row)].path);
}

void TimeCanvas::interact(ImVec2 low, ImVec2 size) {
  ImGui::SetCursorScreenPos(low);
  ImGui::InvisibleButton("time", size);
  ui_.add_last("canvas", "canvas", "", "");
  const ImGuiIO& io = ImGui::GetIO();
  const double at = us_at(io.MousePos.x);
  const bool hovered = ImGui::IsItemHovered();
  if (ImGui::IsItemActive()) app_.view.canvas = "timeline";
  const double scale = (window_.end - window_.begin) / static_cast<double>(plot());
  if (hovered && io.MouseWheel != 0 && io.KeyShift) {
    const double d = static_cast<double>(io.MouseWheel) * 60 * scale;
    window_.begin -= d;
    window_.end -= d;
  } else if (hovered && io.MouseWheel != 0) {
    const double factor = std::pow(io.KeyCtrl ? 0.95 : 0.8, static_cast<double>(io.MouseWheel));
    window_.begin = at - (at - window_.begin) * factor;
    window_.end = std::max(at + (window_.end - at) * factor, window_.begin + kLeastWindow);
  }
  const bool pans =
      hovered && (ImGui::IsMouseDragging(1) || ImGui::IsMouseDragging(2) || (io.KeyShift && ImGui::IsMouseDragging(0)));
  if (pans) {
    window_.begin -= static_cast<double>(io.MouseDelta.x) * scale;
    window_.end -= static_cast<double>(io.MouseDelta.x) * scale;
  } else if (ImGui::IsItemActivated()) {
    window_.mark_from = window_.mark_to = at;
  } else if (ImGui::IsItemActive()) {
    window_.mark_to = at;
  }
  if (hovered && ImGui::IsMouseDoubleClicked(0) && !window_.hovered) window_.begin = window_.end = 0;
  marks(low, size);
}

void TimeCanvas::ruler(ImVec2 low, ImVec2 size, double at, Rgb color, const std::string& label) const {
  const float px_x = x(at);
  if (px_x < low_.x + ui_.px(kLaneNames) || px_x > low_.x + ui_.px(kLaneNames) + plot()) return;
  list_->AddLine({px_x, low.y}, {px_x, low.y + size.y}, ui_.color(color), ui_.px(1.5F));
  list_->AddText({px_x + ui_.px(3), low.y + size.y - ui_.px(18)}, ui_.color(color), label.c_str());
}

void TimeCanvas::marks(ImVec2 low, ImVec2 size) const {
  if (window_.mark) ruler(low, size, *window_.mark, ui_.theme->strategy[5], "M");
  if (!window_.mark_from || !window_.mark_to || *window_.mark_from == *window_.mark_to) return;
  const float a = std::max(x(std::min(*window_.mark_from, *window_.mark_to)), low_.x + ui_.px(kLaneNames)),
              b = std::min(x(std::max(*window_.mark_from, *window_.mark_to)), low_.x + ui_.px(kLaneNames) + plot());
  if (b < a) return;
  list_->AddRectFilled({a, low.y}, {b, low.y + size.y}, ui_.color(ui_.theme->accent, 0.15F));
  ruler(low, size, *window_.mark_from, ui_.theme->accent, "");
  ruler(low, size, *window_.mark_to, ui_.theme->accent,
        cli::time_text(std::abs(*window_.mark_to - *window_.mark_from) * 1e-6));
}

}  // namespace tpsim::gui
