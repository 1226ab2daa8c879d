// Speed-up over TP sizes as a picture: for the terminal and as SVG.
#pragma once

#include <string>
#include <vector>

#include "cli/report.h"
#include "cli/svg.h"
#include "cli/terminal.h"

namespace tpsim::cli {

struct ChartPoint {
  int tp = 1;
  double speedup = 1, low = 1, high = 1;  // 90 % band
};
struct ChartSeries {
  std::string name;  // "prefill"
  std::vector<ChartPoint> points;
};

// One series per phase, of sizes that run.
std::vector<ChartSeries> speedup_series(const Report& report);

// A bar per size with the ideal marked.
std::vector<std::string> text_chart(const std::vector<ChartSeries>& series, const Terminal& terminal);
std::string svg_chart(const std::vector<ChartSeries>& series, const std::string& title, const Ink& ink = {});

}  // namespace tpsim::cli
