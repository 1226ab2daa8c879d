#include "gui/model/graph_svg.h"

#include <cstdio>

#include "cli/text.h"

namespace tpsim::gui {
namespace {

constexpr float kMargin = 20, kFont = 13.5F;

std::string hex(Rgb rgb) {
  char text[8];
  std::snprintf(text, sizeof text, "#%06x", rgb);
  return text;
}

std::string number(float v) { return cli::fixed(static_cast<double>(v + kMargin), 1); }
std::string length(float v) { return cli::fixed(static_cast<double>(v), 1); }

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

class Svg {
public:
  Svg(const GraphDrawing& graph, const Theme& theme) : graph_(graph), theme_(theme) {}

  std::string write(const std::string& title) {
    const std::string width = length(graph_.width + 2 * kMargin), height = length(graph_.height + 2 * kMargin);
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
           "\" viewBox=\"0 0 " + width + " " + height + "\" font-family=\"DejaVu Sans, sans-serif\">\n<title>" +
           escaped(title) + "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"" + hex(theme_.background) +
           "\"/>\n";
    for (const Segment& s : graph_.segments) segment(s);
    for (const DrawnEdge& e : graph_.edges) edge(e);
    for (const DrawnNode& n : graph_.nodes) node(n);
    return out_ + "</svg>\n";
  }

private:
  void box(float x, float y, float w, float h, Rgb fill, float opacity, Rgb stroke) {
    out_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + length(w) + "\" height=\"" + length(h) +
            "\" rx=\"5\" fill=\"" + hex(fill) + "\" fill-opacity=\"" + length(opacity) + "\" stroke=\"" + hex(stroke) +
            "\"/>\n";
  }

  void text(float x, float y, const std::string& what, Rgb color, float size = 1, bool bold = false) {
    out_ += "<text x=\"" + number(x) + "\" y=\"" + number(y + kFont * size) + "\" font-size=\"" + length(kFont * size) +
            "\" fill=\"" + hex(color) + "\"" + (bold ? " font-weight=\"bold\"" : "") + ">" + escaped(what) +
            "</text>\n";
  }

  void segment(const Segment& s) {
    if (!s.framed) return;
    box(s.x, s.y, s.width, s.height, theme_.raised, 0.4F, theme_.line);
    text(s.x + 10, s.y + 6, s.title, theme_.dim, 1, true);
  }

  void edge(const DrawnEdge& e) {
    const bool wrong = e.layout == "wrong", partial = e.layout.starts_with("Partial");
    const Rgb color = wrong                           ? theme_.strategy[7]
                      : partial                       ? theme_.strategy[1]
                      : e.layout.starts_with("Shard") ? theme_.strategy[0]
                                                      : theme_.dim;
    std::string path;
    for (std::size_t i = 0; i < e.points.size(); ++i) {
      const Point& p = e.points[i];
      if (i == 0) {
        path = "M" + number(p.x) + " " + number(p.y);
        continue;
      }
      const Point& before = e.points[i - 1];
      const float bend = (p.y - before.y) / 2;
      path += " C" + number(before.x) + " " + number(before.y + bend) + " " + number(p.x) + " " + number(p.y - bend) +
              " " + number(p.x) + " " + number(p.y);
    }
    out_ += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + hex(color) + "\" stroke-width=\"" +
            (partial ? "2.4" : "1.4") + "\"" + (wrong ? " stroke-dasharray=\"6 4\"" : "") + "/>\n";
    const std::size_t n = e.points.size();
    if (n < 2 || graph_.nodes[static_cast<std::size_t>(e.from)].kind == NodeKind::input) return;
    text((e.points[n - 2].x + e.points[n - 1].x) / 2 + 5, (e.points[n - 2].y + e.points[n - 1].y) / 2 - 8,
         wrong ? "! " + e.code : short_layout(e.layout), color, 0.8F);
  }

  void node(const DrawnNode& n) {
    if (n.kind == NodeKind::collective) {
      out_ += "<circle cx=\"" + number(n.x + n.width / 2) + "\" cy=\"" + number(n.y + n.height / 2) + "\" r=\"" +
              length(n.width / 2) + "\" fill=\"" + hex(theme_.panel) + "\" stroke=\"" + hex(theme_.side_b) +
              "\" stroke-width=\"2\"/>\n";
      text(n.x + n.width / 2 - 4.2F * static_cast<float>(n.title.size()), n.y + n.height / 2 - 9, n.title, theme_.text);
      return text(n.x + n.width + 6, n.y + 8, cli::bytes_text(n.bytes, cli::Units::iec), theme_.dim, 0.85F);
    }
    const bool module = n.kind == NodeKind::module;
    const Rgb color = theme_.strategy[static_cast<std::size_t>(strategy_class(n.strategy))];
    box(n.x, n.y, n.width, n.height, module ? color : theme_.raised, module ? 0.3F : 1, theme_.line);
    text(n.x + 12, n.y + 5, n.title, theme_.text, 1, module);
    if (!module) return;
    text(n.x + 16 + 8.6F * static_cast<float>(n.title.size()), n.y + 6,
         std::string(1, strategy_letter(n.strategy)) + " " + (n.strategy.empty() ? "no rule" : n.strategy), theme_.dim,
         0.88F);
    text(n.x + 12, n.y + 22, to_string(n.local) + "  " + cli::bytes_text(n.bytes, cli::Units::iec), theme_.dim, 0.88F);
    if (!n.code.empty()) text(n.x + n.width - 52, n.y - 14, "! " + n.code, theme_.side_b, 0.88F);
  }

  const GraphDrawing& graph_;
  const Theme& theme_;
  std::string out_;
};

}  // namespace

std::string graph_svg(const GraphDrawing& graph, const Theme& theme, const std::string& title) {
  return Svg(graph, theme).write(title);
}

}  // namespace tpsim::gui
