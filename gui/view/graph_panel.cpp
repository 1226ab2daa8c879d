#include <algorithm>
#include <cmath>

#include "cli/text.h"
#include "gui/view/frame.h"

namespace tpsim::gui {
namespace {

constexpr float kReadable = 0.55F;  // below this zoom text is left out

const char* overlay_name(Overlay overlay) {
  switch (overlay) {
    case Overlay::strategy: return "strategy";
    case Overlay::memory: return "memory";
    case Overlay::time: return "time";
    case Overlay::communication: return "communication";
  }
  return "";
}

class GraphCanvas {
public:
  GraphCanvas(App& app, Ui& ui, ImVec2 low, ImVec2 size)
      : app_(app), ui_(ui), low_(low), size_(size), list_(ImGui::GetWindowDrawList()) {
    GraphView& v = app.view.graph;
    if (v.zoom <= 0) fit(v);
    zoom_ = v.zoom;
    for (const DrawnNode& n : app.graph.nodes) {
      most_bytes_ = std::max(most_bytes_, static_cast<double>(n.kind == NodeKind::collective ? 0 : n.bytes));
      most_us_ = std::max(most_us_, time(n));
    }
  }

  void draw() {
    list_->PushClipRect(low_, high(), true);
    for (const Segment& s : app_.graph.segments) segment(s);
    for (const DrawnEdge& e : app_.graph.edges) edge(e);
    for (std::size_t i = 0; i < app_.graph.nodes.size(); ++i) node(app_.graph.nodes[i], i);
    list_->PopClipRect();
    minimap();
  }

  void interact() {
    GraphView& v = app_.view.graph;
    ImGui::SetCursorScreenPos(low_);
    ImGui::InvisibleButton("canvas", size_);
    const ImGuiIO& io = ImGui::GetIO();
    const bool hovered = ImGui::IsItemHovered();
    if (hovered && io.MouseWheel != 0) {
      const float factor = std::pow(io.KeyCtrl ? 1.05F : 1.2F, io.MouseWheel);
      const float next = std::clamp(v.zoom * factor, 0.02F, 4.0F);
      v.x += (io.MousePos.x - low_.x) * (1 / v.zoom - 1 / next);
      v.y += (io.MousePos.y - low_.y) * (1 / v.zoom - 1 / next);
      v.zoom = next;
    }
    if (ImGui::IsItemActive() && (io.MouseDelta.x != 0 || io.MouseDelta.y != 0)) {
      v.x -= io.MouseDelta.x / v.zoom;
      v.y -= io.MouseDelta.y / v.zoom;
    }
    const DrawnNode* under = hovered ? node_at(io.MousePos) : nullptr;
    if (under == nullptr) return;
    ui_.tip(describe(*under));
    if (ImGui::IsMouseClicked(0) && under->module_row >= 0)
      app_.view.selected = app_.modules[static_cast<std::size_t>(under->module_row)].path;
  }

private:
  ImVec2 high() const { return {low_.x + size_.x, low_.y + size_.y}; }
  ImVec2 at(float x, float y) const {
    return {low_.x + (x - app_.view.graph.x) * zoom_, low_.y + (y - app_.view.graph.y) * zoom_};
  }
  bool hidden(ImVec2 a, ImVec2 b) const { return b.x < low_.x || b.y < low_.y || a.x > high().x || a.y > high().y; }
  std::int64_t payload(const DrawnNode& n) const {
    const std::int64_t bytes = app_.view.phase == PhaseShown::prefill ? n.prefill_bytes : n.decode_bytes;
    return bytes > 0 ? bytes : n.bytes;
  }
  double time(const DrawnNode& n) const { return app_.view.phase == PhaseShown::prefill ? n.prefill_us : n.decode_us; }

  // All nodes across, from the top or around the selection: a whole model in one picture cannot be read.
  void fit(GraphView& v) const {
    const GraphDrawing& g = app_.graph;
    float left = g.width, right = 0;
    for (const DrawnNode& n : g.nodes) {
      left = std::min(left, n.x);
      right = std::max(right, n.x + n.width);
    }
    v.zoom = std::clamp(size_.x / (right - left + 60), 0.8F * ui_.scale, 1.1F * ui_.scale);
    v.x = (left + right - size_.x / v.zoom) / 2;
    v.y = -14;
    for (const DrawnNode& n : g.nodes)
      if (n.module_row >= 0 && n.kind == NodeKind::module &&
          app_.modules[static_cast<std::size_t>(n.module_row)].path == app_.view.selected)
        v.y = std::max(-14.0F, n.y - size_.y / v.zoom / 2);
  }

  void label(float x, float y, const std::string& text, ImU32 color, float size = 1, ImFont* font = nullptr) {
    if (zoom_ < kReadable * ui_.scale) return;
    ImFont* const used = font ? font : ui_.fonts.regular;
    list_->AddText(used, 13.5F * size * zoom_, at(x, y), color, text.c_str());
  }

  void segment(const Segment& s) {
    if (!s.framed) return;
    const ImVec2 a = at(s.x, s.y), b = at(s.x + s.width, s.y + s.height);
    if (hidden(a, b)) return;
    list_->AddRectFilled(a, b, ui_.color(ui_.theme->raised, 0.35F), ui_.px(6));
    list_->AddRect(a, b, ui_.color(ui_.theme->line), ui_.px(6));
    label(s.x + 10, s.y + 6, s.title, ui_.color(ui_.theme->dim), 1, ui_.fonts.bold);
  }

  void edge(const DrawnEdge& e) {
    const bool partial = e.layout.starts_with("Partial"), wrong = e.layout == "wrong",
               cut = e.layout.starts_with("Shard");
    const Rgb rgb = wrong     ? ui_.theme->strategy[7]
                    : partial ? ui_.theme->strategy[1]
                    : cut     ? ui_.theme->strategy[0]
                              : ui_.theme->dim;
    const ImU32 color = ui_.color(rgb, 0.75F);
    const float thick = std::max(1.0F, (partial ? 2.4F : 1.4F) * zoom_);
    for (std::size_t i = 0; i + 1 < e.points.size(); ++i) {
      const ImVec2 a = at(e.points[i].x, e.points[i].y), b = at(e.points[i + 1].x, e.points[i + 1].y);
      if (hidden({std::min(a.x, b.x), std::min(a.y, b.y)}, {std::max(a.x, b.x), std::max(a.y, b.y)})) continue;
      const float bend = (b.y - a.y) * 0.5F;
      if (wrong)
        list_->AddLine(a, b, color, thick * 1.5F);
      else
        list_->AddBezierCubic(a, {a.x, a.y + bend}, {b.x, b.y - bend}, b, color, thick);
    }
    const Point end = e.points.back();
    const ImVec2 tip = at(end.x, end.y);
    const float w = 4 * zoom_;
    list_->AddTriangleFilled(tip, {tip.x - w, tip.y - 1.7F * w}, {tip.x + w, tip.y - 1.7F * w}, color);
    if (e.points.size() < 2 || zoom_ < 0.8F * ui_.scale) return;
    const Point before = e.points[e.points.size() - 2];
    if (app_.graph.nodes[static_cast<std::size_t>(e.from)].kind == NodeKind::input) return;
    const float mx = (before.x + end.x) / 2, my = (before.y + end.y) / 2;
    label(mx + 5, my - 8, short_layout(e.layout) + (wrong ? " !" : ""), ui_.color(rgb), 0.8F);
  }

  ImU32 fill(const DrawnNode& n) const {
    const auto ramp = [&](double share) {
      return ui_.color(ui_.theme->accent, static_cast<float>(0.08 + 0.7 * std::sqrt(share)));
    };
    switch (app_.view.overlay) {
      case Overlay::strategy:
        return n.kind == NodeKind::module ? ui_.strategy_color(n.strategy, 0.24F) : ui_.color(ui_.theme->raised);
      case Overlay::memory:
        return ramp(most_bytes_ > 0 && n.kind == NodeKind::module ? static_cast<double>(n.bytes) / most_bytes_ : 0);
      case Overlay::time: return ramp(most_us_ > 0 ? time(n) / most_us_ : 0);
      case Overlay::communication: return ramp(n.kind == NodeKind::collective && most_us_ > 0 ? time(n) / most_us_ : 0);
    }
    return 0;
  }

  void node(const DrawnNode& n, std::size_t index) {
    const ImVec2 a = at(n.x, n.y), b = at(n.x + n.width, n.y + n.height);
    const std::string module = n.module_row >= 0 ? app_.modules[static_cast<std::size_t>(n.module_row)].path : "";
    if (hidden(a, b)) return;
    ui_.add(std::to_string(index) + ":" + n.title, n.kind == NodeKind::collective ? "collective" : "node", n.title,
            module, a, b);
    if (n.kind == NodeKind::collective) return collective(n, a, b);
    const bool selected = n.kind == NodeKind::module && !module.empty() && module == app_.view.selected;
    list_->AddRectFilled(a, b, ui_.color(ui_.theme->panel), 5 * zoom_);
    list_->AddRectFilled(a, b, fill(n), 5 * zoom_);
    if (n.kind == NodeKind::module)
      list_->AddRectFilled(a, {a.x + 5 * zoom_, b.y}, ui_.strategy_color(n.strategy), 2 * zoom_);
    list_->AddRect(a, b, ui_.color(selected ? ui_.theme->accent : ui_.theme->line), 5 * zoom_, 0,
                   selected ? 3 * ui_.scale : 1);
    label(n.x + 12, n.y + 5, n.title, ui_.color(ui_.theme->text), 1,
          n.kind == NodeKind::module ? ui_.fonts.bold : nullptr);
    if (n.kind != NodeKind::module) return;
    const std::string chip =
        std::string(1, strategy_letter(n.strategy)) + " " + (n.strategy.empty() ? "no rule" : n.strategy);
    label(n.x + 16 + 8.6F * static_cast<float>(n.title.size()), n.y + 6, chip, ui_.color(ui_.theme->dim), 0.88F);
    label(n.x + 12, n.y + 22, to_string(n.local) + "  " + cli::bytes_text(n.bytes, cli::Units::iec),
          ui_.color(ui_.theme->dim), 0.88F);
    if (most_us_ > 0)
      list_->AddRectFilled({a.x + 5 * zoom_, b.y - 3 * zoom_},
                           {a.x + 5 * zoom_ + (b.x - a.x - 5 * zoom_) * static_cast<float>(time(n) / most_us_), b.y},
                           ui_.color(ui_.theme->accent, 0.8F));
    if (!n.code.empty()) label(n.x + n.width - 52, n.y - 14, "! " + n.code, ui_.color(ui_.theme->strategy[1]), 0.88F);
  }

  void collective(const DrawnNode& n, ImVec2 a, ImVec2 b) {
    const ImVec2 middle((a.x + b.x) / 2, (a.y + b.y) / 2);
    const float radius = (b.x - a.x) / 2;
    list_->AddCircleFilled(middle, radius, ui_.color(ui_.theme->panel), 32);
    list_->AddCircleFilled(middle, radius,
                           app_.view.overlay == Overlay::strategy ? ui_.color(ui_.theme->side_b, 0.25F) : fill(n), 32);
    list_->AddCircle(middle, radius, ui_.color(ui_.theme->side_b), 32, 2 * zoom_);
    const float letters = 7.8F * static_cast<float>(n.title.size());
    label(n.x + n.width / 2 - letters / 2 - 1, n.y + n.height / 2 - 8, n.title, ui_.color(ui_.theme->text), 1,
          ui_.fonts.bold);
    label(n.x + n.width + 6, n.y + 4, cli::bytes_text(payload(n), cli::Units::iec), ui_.color(ui_.theme->dim), 0.85F);
    if (time(n) > 0)
      label(n.x + n.width + 6, n.y + 18, cli::time_text(time(n) * 1e-6), ui_.color(ui_.theme->dim), 0.85F);
  }

  const DrawnNode* node_at(ImVec2 p) const {
    for (const DrawnNode& n : app_.graph.nodes) {
      const ImVec2 a = at(n.x, n.y), b = at(n.x + n.width, n.y + n.height);
      if (p.x >= a.x && p.x <= b.x && p.y >= a.y && p.y <= b.y) return &n;
    }
    return nullptr;
  }

  std::string describe(const DrawnNode& n) const {
    std::string text = n.module_row >= 0 ? app_.modules[static_cast<std::size_t>(n.module_row)].path : n.title;
    if (n.kind == NodeKind::module)
      text += "\n" + (n.strategy.empty() ? std::string("no rule") : n.strategy) + ", " + to_string(n.local) +
              " on the heaviest rank, " + cli::bytes_text(n.bytes, cli::Units::iec);
    if (n.kind == NodeKind::collective) text += "\npayload " + cli::bytes_text(payload(n), cli::Units::iec);
    if (n.prefill_us > 0) text += "\nprefill " + cli::time_text(n.prefill_us * 1e-6) + " a layer";
    if (n.decode_us > 0) text += "\ndecode " + cli::time_text(n.decode_us * 1e-6) + " a layer";
    return text;
  }

  void minimap() {
    const GraphDrawing& g = app_.graph;
    const float height = std::min(size_.y * 0.5F, ui_.px(180)), factor = height / std::max(g.height, 1.0F);
    const float width = std::min(std::max(g.width * factor, ui_.px(24)), ui_.px(90));
    const ImVec2 a(high().x - width - ui_.px(10), low_.y + ui_.px(10)), b(a.x + width, a.y + height);
    list_->AddRectFilled(a, b, ui_.color(ui_.theme->background, 0.8F), ui_.px(3));
    list_->AddRect(a, b, ui_.color(ui_.theme->line), ui_.px(3));
    for (const DrawnNode& n : g.nodes) {
      const float y = a.y + n.y * factor, x = a.x + n.x / g.width * width;
      list_->AddRectFilled(
          {x, y}, {x + std::max(n.width / g.width * width, 2.0F), y + std::max(n.height * factor, 2.0F)},
          n.kind == NodeKind::module ? ui_.strategy_color(n.strategy, 0.8F) : ui_.color(ui_.theme->line));
    }
    const float top = std::clamp(a.y + app_.view.graph.y * factor, a.y, b.y),
                bottom = std::clamp(top + size_.y / zoom_ * factor, top + 2, b.y);
    list_->AddRect({a.x, top}, {b.x, bottom}, ui_.color(ui_.theme->accent), 0, 0, 1.5F);
  }

  App& app_;
  Ui& ui_;
  ImVec2 low_, size_;
  ImDrawList* list_;
  float zoom_ = 1;
  double most_bytes_ = 0, most_us_ = 0;
};

void toolbar(App& app, Ui& ui) {
  ImGui::AlignTextToFramePadding();
  ui.dim("overlay");
  for (const Overlay overlay : {Overlay::strategy, Overlay::memory, Overlay::time, Overlay::communication}) {
    ImGui::SameLine(0, ui.px(4));
    if (ui.button(overlay_name(overlay), overlay_name(overlay), true, "O cycles", overlay == app.view.overlay))
      app.view.overlay = overlay;
  }
  ImGui::SameLine(0, ui.px(16));
  if (ui.button("phase", app.view.phase == PhaseShown::prefill ? "times: prefill" : "times: decode"))
    app.view.phase = app.view.phase == PhaseShown::prefill ? PhaseShown::decode : PhaseShown::prefill;
  ImGui::SameLine(0, ui.px(4));
  if (ui.button("fit", "fit", true, "F")) app.view.graph.zoom = 0;
  ImGui::SameLine();
  ui.dim("R copy  S(d) cut  P partial sum");
}

}  // namespace

void graph_panel(App& app, Ui& ui) {
  if (no_data(app, ui)) return;
  toolbar(app, ui);
  if (app.graph.nodes.empty()) {
    ui.empty_state(app.shown()->scenario.model().has_forward
                       ? "No graph: the plan stops before the first operation."
                       : "No graph: the forward pass of this model is not described.");
    return;
  }
  const ImVec2 size = ImGui::GetContentRegionAvail();
  if (size.x < 50 || size.y < 50) return;
  GraphCanvas canvas(app, ui, ImGui::GetCursorScreenPos(), size);
  canvas.draw();
  canvas.interact();
}

}  // namespace tpsim::gui
