// What physics leaves over: ln(measured / model) on a coarse grid, interpolated linearly between its knots.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/value.h"

namespace tpsim {

struct GridAxis {
  std::string name;           // "log2_m"
  std::vector<double> knots;  // rising, at least one
  // Outside the knots the correction of the end falls to 0 over this distance; 0 = it stays as it is.
  double fade_low = 0, fade_high = 0;

  bool operator==(const GridAxis&) const = default;
};

struct GridSample {
  std::array<double, 4> at{};  // coordinates, one per axis
  double value = 0;            // ln(measured / model)
  double weight = 1;
};

struct GridOptions {
  // Weight of the squared second difference along each axis, against rows of weight 1 (missing entries: 0.1).
  std::vector<double> smoothness;
  double ridge = 0.02;  // pulls knots without rows near them to 0
  double most = 0.7;    // corrections are clamped to +-most
  // Rows that stand alone by more than this count less; 0 = all count.
  double outlier = 0;
};

class ResidualGrid {
public:
  static constexpr std::size_t kMostAxes = 4;
  static constexpr double kStep = 0.002;  // of stored values

  ResidualGrid() = default;  // no axes: 0 everywhere
  // `values` in steps of kStep, the last axis fastest. Errors: axes or sizes that do not fit.
  static Result<ResidualGrid> make(std::vector<GridAxis> axes, std::vector<std::int16_t> values);
  // Weighted ridge regression with second-difference smoothing. Samples outside the knots are taken at the end.
  static ResidualGrid fit(std::vector<GridAxis> axes, std::span<const GridSample> samples,
                          const GridOptions& options = {});

  // Correction to ln(model) at `coordinates`, one per axis. Continuous everywhere.
  double at(std::span<const double> coordinates) const;
  bool inside(std::span<const double> coordinates) const;  // within the knots of all axes; false without axes
  bool empty() const { return axes_.empty(); }
  const std::vector<GridAxis>& axes() const { return axes_; }
  const std::vector<std::int16_t>& values() const { return values_; }
  bool operator==(const ResidualGrid&) const = default;

private:
  std::vector<GridAxis> axes_;
  std::vector<std::int16_t> values_;
};

// {"axes": [{"name": "log2_m", "knots": [0, 1], "fade_low": 1}], "values": [12, -3]}
Value to_value(const ResidualGrid& grid);
Result<ResidualGrid> read_residual_grid(const Value& value);

// Knots that rows support: the distinct coordinates, those nearer than `least_gap` to the one before left out (the last
// one is kept).
std::vector<double> knots_of(std::vector<double> coordinates, double least_gap);

}  // namespace tpsim
