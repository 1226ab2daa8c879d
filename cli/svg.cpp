#include "cli/svg.h"

#include "cli/text.h"

namespace tpsim::cli {

std::string markup_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

Ink page_ink() { return {"none", "currentColor", "#88888840", "#888888", "currentColor"}; }

std::string svg_number(double value) { return fixed(value, 1); }

std::string svg_open(SvgSize size, const Ink& ink, std::string_view title) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + svg_number(size.width) + "\" height=\"" +
         svg_number(size.height) + "\" viewBox=\"0 0 " + svg_number(size.width) + " " + svg_number(size.height) +
         "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"" + ink.text + "\">\n" +
         "<rect width=\"100%\" height=\"100%\" fill=\"" + ink.paper + "\"/>\n" + "<text x=\"" +
         svg_number(size.width / 2) + "\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">" + markup_escaped(title) +
         "</text>\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<line x1=\"" + svg_number(x1) + "\" y1=\"" + svg_number(y1) + "\" x2=\"" + svg_number(x2) + "\" y2=\"" +
         svg_number(y2) + "\" " + style + "/>\n";
}

std::string svg_text(double x, double y, std::string_view text, std::string_view anchor) {
  return "<text x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" text-anchor=\"" + std::string(anchor) + "\">" +
         markup_escaped(text) + "</text>\n";
}

std::string svg_box(double x, double y, double width, double height, const std::string& style) {
  return "<rect x=\"" + svg_number(x) + "\" y=\"" + svg_number(y) + "\" width=\"" + svg_number(width) + "\" height=\"" +
         svg_number(height) + "\" " + style + "/>\n";
}

}  // namespace tpsim::cli
