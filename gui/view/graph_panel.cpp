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
    case Overlay::error: return "error";
  }
  return "";
}

constexpr Overlay kOverlays[] = {Overlay::strategy, Overlay::memory, Overlay::time, Overlay::communication,
                                 Overlay::error};

// From a to b in strokes and gaps of `step` pixels.
void dashed_line(ImDrawList* list, ImVec2 a, ImVec2 b, ImU32 color, float thick, float step) {
  const float length = std::hypot(b.x - a.x, b.y - a.y);
  const int strokes = std::clamp(static_cast<int>(length / (2 * step)), 1, 400);
  for (int i = 0; i < strokes; ++i) {
    const float from = static_cast<float>(i) / static_cast<float>(strokes),
                to = from + 0.55F / static_cast<float>(strokes);
    list->AddLine({a.x + (b.x - a.x) * from, a.y + (b.y - a.y) * from},
                  {a.x + (b.x - a.x) * to, a.y + (b.y - a.y) * to}, color, thick);
  }
}

class GraphCanvas {
public:
  GraphCanvas(App& app, Ui& ui, ImVec2 low, ImVec2 size)
      : app_(app), ui_(ui), low_(low), size_(size), list_(ImGui::GetWindowDrawList()) {
    GraphView& v = app.view.graph;
    v.width = size.x;
    v.height = size.y;
    fit(v);
    zoom_ = v.zoom;
    for (const DrawnNode& n : app.graph.nodes) {
      most_bytes_ = std::max(most_bytes_, static_cast<double>(n.kind == NodeKind::collective ? 0 : n.bytes));
      most_us_ = std::max(most_us_, time(n));
    }
  }

  void draw() {
    list_->PushClipRect(low_, high(), true);
    for (std::size_t i = 0; i < app_.graph.segments.size(); ++i) segment(app_.graph.segments[i], i);
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
    if (ImGui::IsItemActive()) app_.view.canvas = "graph";
    if (hovered && io.MouseWheel != 0 && io.KeyShift) {
      v.x -= io.MouseWheel * 40 / v.zoom;
      v.shown = Fit::none;
    } else if (hovered && io.MouseWheel != 0) {
      const float factor = std::pow(io.KeyCtrl ? 1.05F : 1.2F, io.MouseWheel);
      const float next = std::clamp(v.zoom * factor, kLeastZoom, kMostZoom);
      v.x += (io.MousePos.x - low_.x) * (1 / v.zoom - 1 / next);
      v.y += (io.MousePos.y - low_.y) * (1 / v.zoom - 1 / next);
      v.zoom = next;
      v.shown = Fit::none;
    }
    if (ImGui::IsItemActive() && (io.MouseDelta.x != 0 || io.MouseDelta.y != 0)) {
      v.x -= io.MouseDelta.x / v.zoom;
      v.y -= io.MouseDelta.y / v.zoom;
      v.shown = Fit::none;
    }
    if (!hovered) return;
    if (ImGui::IsMouseClicked(0) && click_segment(io.MousePos)) return;
    const int under = node_at(io.MousePos);
    if (under < 0) return edge_tip(io.MousePos);
    const DrawnNode& n = app_.graph.nodes[static_cast<std::size_t>(under)];
    ui_.tip(describe(n));
    if (!ImGui::IsMouseClicked(0)) return;
    v.node = under;
    if (n.module_row >= 0) select(app_, app_.modules[static_cast<std::size_t>(n.module_row)].path, n.layer);
    if (ImGui::IsMouseDoubleClicked(0)) unfold_at(n);
    if (io.MousePos.y < at(n.x, n.y + 22).y && n.kind == NodeKind::module && ImGui::IsMouseDoubleClicked(0) == false)
      wants_list_ = io.MousePos.x > chip_left(n);
  }

  // True after a click on a node's strategy: the list of strategies is to be opened.
  bool wants_list() const { return wants_list_; }

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

  // What was asked for. A whole model in one picture cannot be read, so the first picture is all nodes across.
  void fit(GraphView& v) const {
    if (v.fit == Fit::none) return;
    const GraphDrawing& g = app_.graph;
    float left = g.width, right = 0;
    for (const DrawnNode& n : g.nodes) {
      left = std::min(left, n.x);
      right = std::max(right, n.x + n.width);
    }
    const float across = size_.x / (right - left + 60);
    const ModuleRow* row = app_.selected_row();
    const int node = v.node >= 0 && v.fit == Fit::selection ? v.node
                     : row != nullptr ? node_of(g, static_cast<int>(row - app_.modules.data()), app_.view.layer)
                                      : -1;
    v.shown = v.fit;
    v.zoom = std::clamp(across, 0.8F * ui_.scale, 1.1F * ui_.scale);
    if (v.fit == Fit::all)
      v.zoom = std::clamp(std::min(across, size_.y / (g.height + 28)), kLeastZoom, 1.1F * ui_.scale);
    v.x = (left + right - size_.x / v.zoom) / 2;
    v.y = -kGraphMargin;
    if (v.fit == Fit::all) v.y = std::min(-kGraphMargin, (g.height - size_.y / v.zoom) / 2);
    if (v.fit != Fit::all && node >= 0) {
      const DrawnNode& n = g.nodes[static_cast<std::size_t>(node)];
      v.y = std::max(-kGraphMargin, n.y + n.height / 2 - size_.y / v.zoom / 2);
      if (across < v.zoom) v.x = n.x + n.width / 2 - size_.x / v.zoom / 2;
    }
    v.fit = Fit::none;
  }

  void label(float x, float y, const std::string& text, ImU32 color, float size = 1, ImFont* font = nullptr) {
    if (zoom_ < kReadable * ui_.scale) return;
    ImFont* const used = font ? font : ui_.fonts.regular;
    list_->AddText(used, 13.5F * size * zoom_, at(x, y), color, text.c_str());
  }

  std::string fold_label(const Segment& s) const { return s.is_unfolded ? "[-] fold" : "[+] unfold"; }
  static float fold_x(const Segment& s) { return s.x + 24 + 8.8F * static_cast<float>(s.title.size()); }
  ImVec2 fold_low(const Segment& s) const { return at(fold_x(s) - 4, s.y + 4); }
  ImVec2 fold_high(const Segment& s) const { return at(fold_x(s) + 74, s.y + 24); }

  void segment(const Segment& s, std::size_t index) {
    if (!s.framed) return;
    const ImVec2 a = at(s.x, s.y), b = at(s.x + s.width, s.y + s.height);
    if (hidden(a, b)) return;
    list_->AddRectFilled(a, b, ui_.color(ui_.theme->raised, 0.35F), ui_.px(6));
    list_->AddRect(a, b, ui_.color(ui_.theme->line), ui_.px(6));
    label(s.x + 10, s.y + 6, s.title, ui_.color(ui_.theme->dim), 1, ui_.fonts.bold);
    if (!s.can_unfold) return;
    label(fold_x(s), s.y + 6, fold_label(s), ui_.color(ui_.theme->accent), 0.95F);
    ui_.add("fold/" + std::to_string(index), "button", fold_label(s), s.title, fold_low(s), fold_high(s));
  }

  void toggle_fold(std::size_t group) {
    GraphView& v = app_.view.graph;
    if (v.unfolded.erase(group) == 0) v.unfolded.insert(group);
    ++v.unfoldings;
    v.node = -1;
  }

  bool click_segment(ImVec2 p) {
    for (const Segment& s : app_.graph.segments) {
      const ImVec2 a = fold_low(s), b = fold_high(s);
      if (!s.can_unfold || p.x < a.x || p.x > b.x || p.y < a.y || p.y > b.y) continue;
      toggle_fold(s.group);
      return true;
    }
    return false;
  }

  void unfold_at(const DrawnNode& n) {
    for (const Segment& s : app_.graph.segments)
      if (s.can_unfold && n.y >= s.y && n.y <= s.y + s.height) return toggle_fold(s.group);
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
        dashed_line(list_, a, b, color, thick * 1.5F, 6 * zoom_);
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
    label(mx + 5, my - 8, wrong ? "! " + e.code : short_layout(e.layout), ui_.color(rgb), 0.8F);
  }

  std::string edge_text(const DrawnEdge& e) const {
    std::int64_t numbers = 1;
    for (int d = 0; d < e.shape.rank(); ++d) numbers *= e.shape[d];
    const std::int64_t bytes = numbers * element_bits(app_.shown()->scenario.activations) / 8;
    return e.layout + "  " + to_string(e.shape) + "  " + cli::bytes_text(bytes, cli::Units::iec) + " on rank 0, prompt";
  }

  void edge_tip(ImVec2 p) {
    constexpr float near = 6;
    for (const DrawnEdge& e : app_.graph.edges)
      for (std::size_t i = 0; i + 1 < e.points.size(); ++i) {
        const ImVec2 a = at(e.points[i].x, e.points[i].y), b = at(e.points[i + 1].x, e.points[i + 1].y);
        const float along = std::clamp((p.y - a.y) / std::max(b.y - a.y, 1.0F), 0.0F, 1.0F);
        const float bent = along * along * (3 - 2 * along);
        if (p.y < a.y || p.y > b.y || std::abs(a.x + (b.x - a.x) * bent - p.x) > ui_.px(near)) continue;
        return ui_.tip(edge_text(e));
      }
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
      case Overlay::error: {
        const auto error = error_of(n);
        return error ? ui_.color(*error > 0 ? ui_.theme->side_b : ui_.theme->side_a,
                                 static_cast<float>(std::clamp(0.08 + std::abs(*error), 0.08, 0.8)))
                     : ui_.color(ui_.theme->raised);
      }
    }
    return 0;
  }

  // Predicted over measured time of its module, less 1.
  std::optional<double> error_of(const DrawnNode& n) const {
    if (n.module_row < 0 || !app_.measured.held) return std::nullopt;
    const HeldRun& held = *app_.measured.held;
    const auto& errors = n.kind == NodeKind::collective ? held.collective_errors : held.errors;
    const auto found = errors.find(app_.modules[static_cast<std::size_t>(n.module_row)].pattern);
    return found == errors.end() ? std::nullopt : std::optional(found->second);
  }

  float chip_left(const DrawnNode& n) const { return at(n.x + 14 + 8.6F * static_cast<float>(n.title.size()), n.y).x; }

  void node(const DrawnNode& n, std::size_t index) {
    const ImVec2 a = at(n.x, n.y), b = at(n.x + n.width, n.y + n.height);
    const std::string module = n.module_row >= 0 ? app_.modules[static_cast<std::size_t>(n.module_row)].path : "";
    if (hidden(a, b)) return;
    ui_.add(std::to_string(index) + ":" + n.title, n.kind == NodeKind::collective ? "collective" : "node", n.title,
            module, a, b);
    if (n.kind == NodeKind::collective) return collective(n, a, b);
    const bool selected = static_cast<int>(index) == app_.view.graph.node ||
                          (n.kind == NodeKind::module && !module.empty() && module == app_.view.selected &&
                           (app_.view.layer < 0 || n.layer < 0 || n.layer == app_.view.layer));
    list_->AddRectFilled(a, b, ui_.color(ui_.theme->panel), 5 * zoom_);
    list_->AddRectFilled(a, b, fill(n), 5 * zoom_);
    if (n.kind == NodeKind::module) {
      list_->AddRectFilled(a, {a.x + 9 * zoom_, b.y}, ui_.strategy_color(n.strategy), 2 * zoom_);
      hatch(list_, a, {a.x + 9 * zoom_, b.y}, strategy_class(n.strategy), ui_.color(ui_.theme->background, 0.6F),
            4 * zoom_);
    }
    list_->AddRect(a, b, ui_.color(selected ? ui_.theme->accent : ui_.theme->line), 5 * zoom_, 0,
                   selected ? 3 * ui_.scale : 1);
    label(n.x + 14, n.y + 5, n.title, ui_.color(ui_.theme->text), 1,
          n.kind == NodeKind::module ? ui_.fonts.bold : nullptr);
    if (n.kind != NodeKind::module) return;
    const std::string chip =
        std::string(1, strategy_letter(n.strategy)) + " " + (n.strategy.empty() ? "no rule" : n.strategy);
    label(n.x + 16 + 8.6F * static_cast<float>(n.title.size()), n.y + 6, chip, ui_.color(ui_.theme->dim), 0.88F);
    label(n.x + 14, n.y + 22, to_string(n.local) + "  " + cli::bytes_text(n.bytes, cli::Units::iec),
          ui_.color(ui_.theme->dim), 0.88F);
    if (most_us_ > 0)
      list_->AddRectFilled({a.x + 5 * zoom_, b.y - 3 * zoom_},
                           {a.x + 5 * zoom_ + (b.x - a.x - 5 * zoom_) * static_cast<float>(time(n) / most_us_), b.y},
                           ui_.color(ui_.theme->accent, 0.8F));
    if (const auto error = error_of(n); error && app_.view.overlay == Overlay::error)
      label(n.x + n.width - 58, n.y + 22, (*error > 0 ? "+" : "-") + percent_text(std::abs(*error)),
            ui_.color(ui_.theme->text), 0.88F);
    if (n.is_exception) label(n.x + 14, n.y - 14, "exception", ui_.color(ui_.theme->strategy[5]), 0.85F);
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

  int node_at(ImVec2 p) const {
    for (std::size_t i = 0; i < app_.graph.nodes.size(); ++i) {
      const DrawnNode& n = app_.graph.nodes[i];
      const ImVec2 a = at(n.x, n.y), b = at(n.x + n.width, n.y + n.height);
      if (p.x >= a.x && p.x <= b.x && p.y >= a.y && p.y <= b.y) return static_cast<int>(i);
    }
    return -1;
  }

  std::string describe(const DrawnNode& n) const {
    std::string text = n.module_row >= 0 ? app_.modules[static_cast<std::size_t>(n.module_row)].path : n.title;
    if (n.kind == NodeKind::module)
      text += "\n" + (n.strategy.empty() ? std::string("no rule") : n.strategy) + ", " + to_string(n.local) +
              " on the heaviest rank, " + cli::bytes_text(n.bytes, cli::Units::iec);
    if (n.kind == NodeKind::collective) text += "\npayload " + cli::bytes_text(payload(n), cli::Units::iec);
    if (const auto error = error_of(n))
      text += "\npredicted " + percent_text(std::abs(*error)) + (*error > 0 ? " above" : " below") + " measured";
    if (n.prefill_us > 0) text += "\nprefill " + cli::time_text(n.prefill_us * 1e-6) + " a layer";
    if (n.decode_us > 0) text += "\ndecode " + cli::time_text(n.decode_us * 1e-6) + " a layer";
    return text;
  }

  void minimap() {
    const GraphDrawing& g = app_.graph;
    if (size_.x < ui_.px(480)) return;  // it would cover what it maps
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
  bool wants_list_ = false;
};

void toolbar(App& app, Ui& ui) {
  ImGui::AlignTextToFramePadding();
  ui.dim("overlay");
  for (const Overlay overlay : kOverlays) {
    ui.flow_button(overlay_name(overlay));
    if (ui.button(overlay_name(overlay), overlay_name(overlay), true, "O cycles", overlay == app.view.overlay))
      app.view.overlay = overlay;
  }
  const char* const phase = app.view.phase == PhaseShown::prefill ? "times: prefill" : "times: decode";
  ui.flow_button(phase, 16);
  if (ui.button("phase", phase))
    app.view.phase = app.view.phase == PhaseShown::prefill ? PhaseShown::decode : PhaseShown::prefill;
  ui.flow_button("fit");
  if (ui.button("fit", "fit", true, "F: the selection, F F: everything")) {
    app.view.canvas = "graph";
    perform(app, Action::fit);
  }
  const std::string legend = app.view.overlay == Overlay::error && !app.measured.held
                                 ? "no measured run is open: drop one on the window"
                                 : "R copy  S(d) cut  P partial sum  double click unfolds";
  ui.flow(ImGui::CalcTextSize(legend.c_str()).x, 12);
  ui.dim(legend);
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
  if (canvas.wants_list()) ImGui::OpenPopup("strategies");
  strategy_popup(app, ui);
}

}  // namespace tpsim::gui
