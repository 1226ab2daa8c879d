// Pieces of SVG pictures.
#pragma once

#include <string>
#include <string_view>

namespace tpsim::cli {

// Of HTML and SVG: <, >, &, ".
std::string markup_escaped(std::string_view text);

// Colours that a picture does not choose by itself. On a page of its own it is dark on white; inside a page it takes
// that page's.
struct Ink {
  std::string paper = "white", axis = "#444", grid = "#ddd", ideal = "#999", text = "black";
};
Ink page_ink();

struct SvgSize {
  double width = 640, height = 420;
};
std::string svg_open(SvgSize size, const Ink& ink, std::string_view title);
inline constexpr char kSvgClose[] = "</svg>\n";

std::string svg_number(double value);
std::string svg_line(double x1, double y1, double x2, double y2, const std::string& style);
std::string svg_text(double x, double y, std::string_view text, std::string_view anchor);
std::string svg_box(double x, double y, double width, double height, const std::string& style);

}  // namespace tpsim::cli
