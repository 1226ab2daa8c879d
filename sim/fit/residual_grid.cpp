#include "sim/fit/residual_grid.h"

#include <algorithm>
#include <cmath>

namespace tpsim {
namespace {

constexpr std::size_t kMostValues = 1 << 20;

// Where a coordinate lies: knots `low` and `low + 1` with the share of the upper one, and what is left after fading.
struct Spot {
  std::size_t low = 0;
  double upper = 0;
  double kept = 1;
};

double faded(double distance, double fade) { return fade <= 0 ? 1 : std::max(0.0, 1 - distance / fade); }

Spot spot_on(const GridAxis& axis, double x) {
  const auto& knots = axis.knots;
  if (x <= knots.front()) return {0, 0, faded(knots.front() - x, axis.fade_low)};
  if (x >= knots.back()) {
    const double kept = faded(x - knots.back(), axis.fade_high);
    return knots.size() == 1 ? Spot{0, 0, kept} : Spot{knots.size() - 2, 1, kept};
  }
  const auto above = std::upper_bound(knots.begin(), knots.end(), x);
  const auto low = static_cast<std::size_t>(above - knots.begin()) - 1;
  return {low, (x - knots[low]) / (knots[low + 1] - knots[low]), 1};
}

Result<void> check_axis(const GridAxis& axis) {
  const auto& knots = axis.knots;
  const bool finite = std::all_of(knots.begin(), knots.end(), [](double k) { return std::isfinite(k); });
  const bool rising = std::adjacent_find(knots.begin(), knots.end(), std::greater_equal<>()) == knots.end();
  if (knots.empty() || !finite || !rising)
    return input_error("axis \"" + axis.name + "\" needs finite knots in rising order, at least one");
  if (!(axis.fade_low >= 0) || !(axis.fade_high >= 0))
    return input_error("axis \"" + axis.name + "\": a fade distance is 0 or more");
  return {};
}

}  // namespace

Result<ResidualGrid> ResidualGrid::make(std::vector<GridAxis> axes, std::vector<std::int16_t> values) {
  if (axes.size() > kMostAxes)
    return input_error("a residual grid has at most 4 axes, got " + std::to_string(axes.size()));
  std::size_t expected = axes.empty() ? 0 : 1;
  for (const GridAxis& axis : axes) {
    if (auto ok = check_axis(axis); !ok) return ok.error();
    expected *= axis.knots.size();
    if (expected > kMostValues) return input_error("a residual grid has at most 1048576 values");
  }
  if (values.size() != expected)
    return input_error("a residual grid of these axes has " + std::to_string(expected) + " values, got " +
                       std::to_string(values.size()));
  ResidualGrid grid;
  grid.axes_ = std::move(axes);
  grid.values_ = std::move(values);
  return grid;
}

double ResidualGrid::at(std::span<const double> coordinates) const {
  const std::size_t dims = axes_.size();
  if (dims == 0 || coordinates.size() < dims) return 0;
  std::array<Spot, kMostAxes> spots;
  double kept = 1;
  for (std::size_t d = 0; d < dims; ++d) {
    spots[d] = spot_on(axes_[d], coordinates[d]);
    kept *= spots[d].kept;
  }
  if (kept == 0) return 0;
  double sum = 0;
  for (unsigned corner = 0; corner < (1u << dims); ++corner) {
    double weight = 1;
    std::size_t index = 0;
    for (std::size_t d = 0; d < dims; ++d) {
      const bool up = (corner >> d & 1u) != 0;
      weight *= up ? spots[d].upper : 1 - spots[d].upper;
      index = index * axes_[d].knots.size() + spots[d].low + (up ? 1 : 0);
    }
    if (weight > 0) sum += weight * values_[index];
  }
  return kept * sum * kStep;
}

bool ResidualGrid::inside(std::span<const double> coordinates) const {
  if (axes_.empty() || coordinates.size() < axes_.size()) return false;
  for (std::size_t d = 0; d < axes_.size(); ++d)
    if (coordinates[d] < axes_[d].knots.front() || coordinates[d] > axes_[d].knots.back()) return false;
  return true;
}

std::vector<double> knots_of(std::vector<double> coordinates, double least_gap) {
  std::sort(coordinates.begin(), coordinates.end());
  std::vector<double> knots;
  for (double x : coordinates)
    if (knots.empty() || x - knots.back() >= std::max(least_gap, 1e-9)) knots.push_back(x);
  if (knots.empty() || coordinates.back() == knots.back()) return knots;
  if (knots.size() > 1) knots.back() = coordinates.back();
  return knots;
}

}  // namespace tpsim
