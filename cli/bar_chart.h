// Horizontal bars made of parts, as SVG.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/svg.h"

namespace tpsim::cli {

struct Bar {
  std::string name;
  std::vector<double> parts;                       // one per name of the chart's parts
  std::string note;                                // behind the bar
  std::optional<std::pair<double, double>> range;  // in which the sum may lie
};

struct BarChart {
  std::string title, unit;
  std::vector<std::string> parts;
  std::vector<Bar> bars;
  std::optional<double> limit;
  std::string limit_name;
};

std::string svg_bars(const BarChart& chart, const Ink& ink);

}  // namespace tpsim::cli
