#include "cli/bar_chart.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr double kWidth = 760, kLeft = 90, kRight = 130, kTop = 56, kBottom = 40, kRow = 26, kBarHeight = 16;
constexpr double kPlot = kWidth - kLeft - kRight, kCharacter = 7.4;
// Told apart by people who see two colours only, on white and on black.
constexpr const char* kColours[] = {"#1f77b4", "#e08214", "#4d9a5b", "#9467bd", "#888888", "#c4564c"};

double sum(const Bar& bar) { return std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0); }

double highest(const BarChart& chart) {
  double most = chart.limit.value_or(0);
  for (const Bar& bar : chart.bars) most = std::max({most, sum(bar), bar.range ? bar.range->second : 0});
  return most > 0 ? most : 1;
}

// 1, 2 or 5 times a power of ten, for about five ticks.
double tick_step(double most) {
  constexpr double ticks = 5;
  const double raw = most / ticks, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double step : {1.0, 2.0, 5.0})
    if (raw <= step * power) return step * power;
  return 10 * power;
}

std::string axis(const BarChart& chart, double scale, double most, double bottom, const Ink& ink) {
  const double step = tick_step(most);
  const int decimals = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step)));
  std::string svg;
  for (int i = 0; step * i <= most * 1.0001; ++i) {
    const double x = kLeft + step * i * scale;
    svg += svg_line(x, kTop, x, bottom, "stroke=\"" + (i == 0 ? ink.axis : ink.grid) + "\"");
    svg += svg_text(x, bottom + 16, fixed(step * i, decimals), "middle");
  }
  return svg + svg_text(kLeft + kPlot + 12, bottom + 16, chart.unit, "start");
}

std::string bar(const Bar& bar, double y, double scale, const Ink& ink) {
  std::string svg = svg_text(kLeft - 8, y + kBarHeight - 4, bar.name, "end");
  double x = kLeft;
  for (std::size_t i = 0; i < bar.parts.size(); ++i) {
    const double width = bar.parts[i] * scale;
    svg += svg_box(x, y, width, kBarHeight, "fill=\"" + std::string(kColours[i % std::size(kColours)]) + "\"");
    x += width;
  }
  if (bar.range) {
    const double low = kLeft + bar.range->first * scale, high = kLeft + bar.range->second * scale;
    const double middle = y + kBarHeight / 2;
    const std::string stroke = "stroke=\"" + ink.axis + "\"";
    svg += svg_line(low, middle, high, middle, stroke) + svg_line(low, middle - 4, low, middle + 4, stroke) +
           svg_line(high, middle - 4, high, middle + 4, stroke);
    x = std::max(x, high);
  }
  return svg + svg_text(x + 6, y + kBarHeight - 4, bar.note, "start");
}

bool occurs(const BarChart& chart, std::size_t part) {
  return std::any_of(chart.bars.begin(), chart.bars.end(), [&](const Bar& bar) { return bar.parts[part] > 0; });
}

std::string legend(const BarChart& chart) {
  std::string svg;
  double x = kLeft;
  for (std::size_t i = 0; i < chart.parts.size(); ++i) {
    if (!occurs(chart, i)) continue;
    svg += svg_box(x, 32, 10, 10, "fill=\"" + std::string(kColours[i % std::size(kColours)]) + "\"");
    svg += svg_text(x + 15, 41, chart.parts[i], "start");
    x += 30 + kCharacter * static_cast<double>(chart.parts[i].size());
  }
  return svg;
}

}  // namespace

std::string svg_bars(const BarChart& chart, const Ink& ink) {
  const double most = highest(chart), scale = kPlot / most;
  const double bottom = kTop + kRow * static_cast<double>(chart.bars.size()) + 6;
  std::string svg = svg_open({kWidth, bottom + kBottom}, ink, chart.title) + axis(chart, scale, most, bottom, ink);
  for (std::size_t i = 0; i < chart.bars.size(); ++i)
    svg += bar(chart.bars[i], kTop + 8 + kRow * static_cast<double>(i), scale, ink);
  if (chart.limit) {
    const double x = kLeft + *chart.limit * scale;
    svg += svg_line(x, kTop - 6, x, bottom, "stroke=\"#c4564c\" stroke-width=\"2\" stroke-dasharray=\"6 3\"");
    svg += svg_text(x, bottom + 32, chart.limit_name, "middle");
  }
  return svg + legend(chart) + kSvgClose;
}

}  // namespace tpsim::cli
