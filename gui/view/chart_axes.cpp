#include "gui/view/chart_axes.h"

#include <algorithm>
#include <cmath>

namespace tpsim::gui {

std::vector<double> linear_ticks(double low, double high, int count) {
  std::vector<double> ticks;
  if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) return ticks;
  const double raw = (high - low) / std::max(count, 1), power = std::pow(10, std::floor(std::log10(raw)));
  const double step = raw <= power ? power : raw <= 2 * power ? 2 * power : raw <= 5 * power ? 5 * power : 10 * power;
  constexpr int most = 200;
  for (double t = std::ceil(low / step) * step; t <= high && ticks.size() < most; t += step)
    ticks.push_back(std::abs(t) < step * 1e-9 ? 0 : t);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, double base) {
  std::vector<double> ticks;
  if (!(low > 0) || !(high > low) || !std::isfinite(high)) return ticks;
  const int first = static_cast<int>(std::ceil(std::log(low) / std::log(base) - 1e-9)),
            last = static_cast<int>(std::floor(std::log(high) / std::log(base) + 1e-9));
  for (int i = first; i <= last && i < first + 100; ++i) ticks.push_back(std::pow(base, i));
  return ticks;
}

double Axis::share(double value) const {
  if (logarithmic) return value > 0 ? std::log(value / low) / std::log(high / low) : 0;
  return (value - low) / (high - low);
}

ImVec2 Plot::at(double x_value, double y_value) const {
  return {low.x + static_cast<float>(x.share(x_value)) * (high.x - low.x),
          high.y - static_cast<float>(y.share(y_value)) * (high.y - low.y)};
}

Plot begin_plot(Ui& ui, ImVec2 size, const Axis& x, const Axis& y, const std::vector<double>& x_ticks,
                const std::vector<double>& y_ticks, std::string (*x_label)(double), std::string (*y_label)(double)) {
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  const Plot plot{{origin.x + ui.px(104), origin.y + ui.px(8)},
                  {origin.x + size.x - ui.px(16), origin.y + size.y - ui.px(26)},
                  x,
                  y};
  ImDrawList* list = ImGui::GetWindowDrawList();
  list->AddRectFilled(plot.low, plot.high, ui.color(ui.theme->background));
  for (const double t : x_ticks) {
    const float px = plot.at(t, y.low).x;
    const std::string label = x_label(t);
    list->AddLine({px, plot.low.y}, {px, plot.high.y}, ui.color(ui.theme->line, 0.6F));
    list->AddText({px - ImGui::CalcTextSize(label.c_str()).x / 2, plot.high.y + ui.px(4)}, ui.color(ui.theme->dim),
                  label.c_str());
  }
  for (const double t : y_ticks) {
    const float py = plot.at(x.low, t).y;
    const std::string label = y_label(t);
    list->AddLine({plot.low.x, py}, {plot.high.x, py}, ui.color(ui.theme->line, 0.6F));
    list->AddText({plot.low.x - ImGui::CalcTextSize(label.c_str()).x - ui.px(6), py - ImGui::GetTextLineHeight() / 2},
                  ui.color(ui.theme->dim), label.c_str());
  }
  list->AddRect(plot.low, plot.high, ui.color(ui.theme->line));
  ImGui::Dummy(size);
  return plot;
}

}  // namespace tpsim::gui
