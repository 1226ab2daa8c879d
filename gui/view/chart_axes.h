// Axes of the charts: round ticks, linear and logarithmic, and a frame that maps values to pixels.
#pragma once

#include <string>
#include <vector>

#include "gui/view/ui.h"

namespace tpsim::gui {

// Round values within [low, high], at most about `count`.
std::vector<double> linear_ticks(double low, double high, int count);
// Powers of `base` within [low, high].
std::vector<double> log_ticks(double low, double high, double base);

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  double share(double value) const;  // 0 at low, 1 at high
};

struct Plot {
  ImVec2 low, high;
  Axis x, y;
  ImVec2 at(double x_value, double y_value) const;
};

// Grid, tick labels and titles; leaves the cursor below the plot.
Plot begin_plot(Ui& ui, ImVec2 size, const Axis& x, const Axis& y, const std::vector<double>& x_ticks,
                const std::vector<double>& y_ticks, std::string (*x_label)(double), std::string (*y_label)(double));

}  // namespace tpsim::gui
