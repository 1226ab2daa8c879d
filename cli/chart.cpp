#include "cli/chart.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/text.h"
#include "sim/stack.h"

namespace tpsim::cli {
namespace {

ChartPoint point_of(int tp, const PhaseResult& phase) {
  const double band = ratio_band(phase.time.band, phase.time.band);
  const double spread = tp == 1 ? 1 : std::exp(band);
  return {tp, phase.speedup, phase.speedup / spread, phase.speedup * spread};
}

ChartSeries series_of(const Report& report, const char* name, std::optional<PhaseResult> SizeResult::*phase) {
  ChartSeries series{name, {}};
  for (const SizeResult& result : report.results)
    if (const auto& timed = result.*phase) series.points.push_back(point_of(result.tp, *timed));
  return series;
}

double highest(const std::vector<ChartSeries>& all) {
  double most = 1;
  for (const ChartSeries& series : all)
    for (const ChartPoint& p : series.points) most = std::max({most, static_cast<double>(p.tp), p.high});
  return most;
}

std::string repeated(const char* text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// "#######      |": the bar, and where the ideal lies.
std::string bar(const ChartPoint& p, double most, int width, bool ascii) {
  const auto columns = [&](double value) {
    return static_cast<int>(std::lround(std::clamp(value / most, 0.0, 1.0) * width));
  };
  const int filled = columns(p.speedup), ideal = columns(p.tp);
  std::string text = repeated(ascii ? "#" : "\u2588", filled);
  for (int i = filled; i < width; ++i) text += i + 1 == ideal ? (ascii ? "|" : "\u2502") : " ";
  return text;
}

// Of the picture, in pixels.
constexpr double kWidth = 640, kHeight = 420, kLeft = 60, kRight = 20, kTop = 44, kBottom = 50;

struct Scale {
  double most_tp = 1, most = 1;
  double x(double tp) const { return kLeft + tp / most_tp * (kWidth - kLeft - kRight); }
  double y(double speedup) const { return kHeight - kBottom - speedup / most * (kHeight - kTop - kBottom); }
};

std::string axes(const Scale& scale, const std::vector<ChartPoint>& ticks, const Ink& ink) {
  const std::string axis = "stroke=\"" + ink.axis + "\"";
  std::string svg =
      svg_line(kLeft, scale.y(0), kWidth - kRight, scale.y(0), axis) + svg_line(kLeft, scale.y(0), kLeft, kTop, axis);
  for (const ChartPoint& tick : ticks) {
    svg += svg_text(scale.x(tick.tp), scale.y(0) + 18, std::to_string(tick.tp), "middle");
    if (tick.tp > scale.most) continue;
    svg += svg_line(kLeft, scale.y(tick.tp), kWidth - kRight, scale.y(tick.tp), "stroke=\"" + ink.grid + "\"");
    svg += svg_text(kLeft - 8, scale.y(tick.tp) + 4, std::to_string(tick.tp), "end");
  }
  const double ideal = std::min(scale.most_tp, scale.most);
  svg += svg_line(scale.x(0), scale.y(0), scale.x(ideal), scale.y(ideal),
                  "stroke=\"" + ink.ideal + "\" stroke-dasharray=\"5 4\"");
  svg += svg_text((kLeft + kWidth - kRight) / 2, kHeight - 12, "TP size", "middle");
  return svg + svg_text(kLeft, kTop - 10, "speed-up over one device (dashed: ideal)", "start");
}

std::string curve(const Scale& scale, const ChartSeries& series, const char* colour, double legend_y) {
  std::string path, marks;
  for (const ChartPoint& p : series.points) {
    path += (path.empty() ? "" : " ") + svg_number(scale.x(p.tp)) + "," + svg_number(scale.y(p.speedup));
    marks += svg_line(scale.x(p.tp), scale.y(p.low), scale.x(p.tp), scale.y(p.high),
                      "stroke=\"" + std::string(colour) + "\" stroke-width=\"1\"");
    marks += "<circle cx=\"" + svg_number(scale.x(p.tp)) + "\" cy=\"" + svg_number(scale.y(p.speedup)) +
             "\" r=\"3.5\" fill=\"" + colour + "\"/>\n";
    marks += svg_text(scale.x(p.tp) + 6, scale.y(p.speedup) + 14, fixed(p.speedup, 2), "start");
  }
  const std::string legend = svg_line(kLeft + 20, legend_y, kLeft + 44, legend_y,
                                      "stroke=\"" + std::string(colour) + "\" stroke-width=\"2\"") +
                             svg_text(kLeft + 50, legend_y + 4, series.name, "start");
  return "<polyline points=\"" + path + "\" fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"2\"/>\n" + marks +
         legend;
}

}  // namespace

std::vector<ChartSeries> speedup_series(const Report& report) {
  std::vector<ChartSeries> all;
  for (auto series :
       {series_of(report, "prefill", &SizeResult::prefill), series_of(report, "decode", &SizeResult::decode)})
    if (!series.points.empty()) all.push_back(std::move(series));
  return all;
}

std::vector<std::string> text_chart(const std::vector<ChartSeries>& all, const Terminal& terminal) {
  constexpr int around = 40, least = 16, widest = 100;
  const int width = std::clamp(terminal.width - around, least, widest);
  const double most = highest(all);
  std::vector<std::string> lines;
  for (const ChartSeries& series : all) {
    lines.push_back(series.name + ": speed-up over one device (" + (!terminal.utf8 ? "|" : "\u2502") + " = ideal)");
    for (const ChartPoint& p : series.points)
      lines.push_back("  TP " + padded(std::to_string(p.tp), 3, true) + "  " + bar(p, most, width, !terminal.utf8) +
                      "  " + padded(fixed(p.speedup, 2), 6, true) + padded(percent(p.speedup / p.tp), 6, true) + "  " +
                      fixed(p.low, 2) + ".." + fixed(p.high, 2));
  }
  return lines;
}

std::string svg_chart(const std::vector<ChartSeries>& all, const std::string& title, const Ink& ink) {
  constexpr const char* colours[] = {"#1f6fb4", "#d9541e"};
  Scale scale;
  std::vector<ChartPoint> ticks;
  for (const ChartSeries& series : all) {
    if (series.points.size() > ticks.size()) ticks = series.points;
    for (const ChartPoint& p : series.points) scale.most_tp = std::max<double>(scale.most_tp, p.tp);
  }
  scale.most = highest(all);
  std::string svg = svg_open({kWidth, kHeight}, ink, title) + axes(scale, ticks, ink);
  for (std::size_t i = 0; i < all.size(); ++i)
    svg += curve(scale, all[i], colours[i % std::size(colours)], kTop + 14 + 18 * static_cast<double>(i));
  return svg + kSvgClose;
}

}  // namespace tpsim::cli
