#include <algorithm>
#include <array>
#include <cmath>

#include "sim/fit/errors.h"
#include "sim/fit/holdout.h"
#include "sim/fit/least_squares.h"
#include "sim/fit/residual_grid.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

// t = 3 + x / 50 with one row that is wrong by a factor of 5.
void line(std::span<const double> p, std::span<double> r) {
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double x = std::exp2(static_cast<double>(i));
    const double measured = (3 + x / 50) * (i == 4 ? 5 : 1);
    r[i] = std::log((p[0] + x / p[1]) / measured);
  }
}

GridAxis axis(std::vector<double> knots, double fade_high = 0) { return {"x", std::move(knots), 0, fade_high}; }

}  // namespace

TEST_CASE("least_squares: finds both constants of a line in spite of an outlier", "[fit]") {
  const std::vector<FitParameter> start{{1, 0.1, 100}, {500, 1, 1e4}};
  const FitResult fit = least_squares(start, 16, line, {200, 0.02, 1e-10});
  CHECK(fit.converged);
  CHECK(fit.values[0] == Approx(3).epsilon(0.01));
  CHECK(fit.values[1] == Approx(50).epsilon(0.01));
}

TEST_CASE("least_squares: bounds hold exactly and the other constant does what is left", "[fit]") {
  const std::vector<FitParameter> start{{1, 0.1, 2.5}, {500, 1, 1e4}};
  const FitResult fit = least_squares(start, 16, line);
  CHECK(fit.values[0] == 2.5);
  CHECK(fit.values[1] == Approx(50).epsilon(0.1));
}

TEST_CASE("least_squares: a prior decides what rows cannot", "[fit]") {
  // One row says only, but firmly, that the product is 12.
  const Residuals product = [](std::span<const double> p, std::span<double> r) {
    r[0] = 100 * std::log(p[0] * p[1] / 12);
  };
  const std::vector<FitParameter> start{{2, 0.01, 100, 0.01}, {2, 0.01, 100, 1}};
  const FitResult fit = least_squares(start, 1, product, {100, 0, 1e-12});
  CHECK(fit.values[0] == Approx(2).epsilon(0.01));
  CHECK(fit.values[1] == Approx(6).epsilon(0.02));
}

TEST_CASE("least_squares: no parameters and models that give no number end", "[fit]") {
  CHECK(least_squares({}, 3, [](auto, std::span<double> r) { r[0] = r[1] = r[2] = 0; }).converged);
  const std::vector<FitParameter> one{{1, 0.1, 10}};
  const FitResult fit = least_squares(one, 1, [](auto, std::span<double> r) { r[0] = std::nan(""); });
  CHECK(fit.values[0] == 1);
}

TEST_CASE("residual_grid: linear between knots, constant or fading beyond", "[fit]") {
  const auto grid = ResidualGrid::make({axis({0, 1, 3}, 2)}, {0, 50, 100});
  REQUIRE(grid);
  const auto at = [&](double x) { return grid->at(std::array{x}); };
  CHECK(at(0.5) == Approx(0.05));
  CHECK(at(2) == Approx(0.15));
  CHECK(at(-9) == 0);
  CHECK(at(3) == Approx(0.2));
  CHECK(at(4) == Approx(0.1));
  CHECK(at(9) == 0);
  CHECK(grid->inside(std::array{3.0}));
  CHECK_FALSE(grid->inside(std::array{3.1}));
  CHECK(ResidualGrid().at(std::array{1.0}) == 0);
}

TEST_CASE("residual_grid: the fit returns a bilinear surface and fills a hole smoothly", "[fit]") {
  std::vector<GridSample> samples;
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 4; ++j)
      if (i != 2 || j != 2) samples.push_back({{1.0 * i, 1.0 * j}, 0.05 * i - 0.1 * j, 1});
  const auto grid = ResidualGrid::fit({axis({0, 1, 2, 3, 4}), axis({0, 1, 2, 3})}, samples, {{0.1, 0.1}, 1e-6, 0.7});
  CHECK(grid.at(std::array{1.0, 1.0}) == Approx(-0.05).margin(0.002));
  CHECK(grid.at(std::array{2.0, 2.0}) == Approx(-0.1).margin(0.003));
  CHECK(grid.at(std::array{3.5, 0.5}) == Approx(0.125).margin(0.003));
}

TEST_CASE("residual_grid: one row that stands alone does not bend the surface", "[fit]") {
  std::vector<GridSample> samples;
  for (int i = 0; i < 7; ++i)
    for (int j = 0; j < 7; ++j) samples.push_back({{1.0 * i, 1.0 * j}, i == 3 && j == 3 ? 0.6 : 0.1, 1});
  const std::vector<GridAxis> axes{axis({0, 1, 2, 3, 4, 5, 6}), axis({0, 1, 2, 3, 4, 5, 6})};
  const std::array at{3.0, 3.0};
  const double followed = ResidualGrid::fit(axes, samples, {{0.03, 0.03}, 0.01, 0.7}).at(at);
  const double wary = ResidualGrid::fit(axes, samples, {{0.03, 0.03}, 0.01, 0.7, 0.1}).at(at);
  CHECK(followed > 0.4);
  CHECK(wary < 0.3);
}

TEST_CASE("residual_grid: JSON and back is the same grid, wrong forms are refused", "[fit]") {
  const auto grid = ResidualGrid::make({axis({0, 1.5}), axis({2, 3, 4}, 1)}, {1, 2, 3, 4, 5, -6});
  REQUIRE(grid);
  const auto back = read_residual_grid(to_value(*grid));
  REQUIRE(back);
  CHECK(*back == *grid);
  CHECK_FALSE(ResidualGrid::make({axis({1, 1})}, {0, 0}));
  CHECK_FALSE(ResidualGrid::make({axis({0, 1})}, {0}));
  CHECK_FALSE(ResidualGrid::make(std::vector<GridAxis>(5, axis({0})), {0}));
  CHECK_FALSE(read_residual_grid(Value{std::int64_t{3}}));
}

TEST_CASE("knots_of: distinct, apart, ends kept", "[fit]") {
  CHECK(knots_of({3, 0, 0, 0.01, 1, 2.95}, 0.2) == std::vector<double>{0, 1, 3});
}

TEST_CASE("group_folds: rows of a group stay together and every fold has its groups", "[fit]") {
  const std::vector<double> widths{1024, 2048, 1024, 4096, 2048, 8192, 4096};
  const auto folds = group_folds(widths, 2);
  CHECK(folds[0] == folds[2]);
  CHECK(folds[1] == folds[4]);
  CHECK(folds[3] == folds[6]);
  CHECK(std::count(folds.begin(), folds.end(), 0) > 0);
  CHECK(std::count(folds.begin(), folds.end(), 1) > 0);
  CHECK(group_hash("") == 14695981039346656037u);
}

TEST_CASE("spread_folds: neighbouring values land in different folds", "[fit]") {
  const std::vector<double> widths{4096, 1024, 2048, 1024, 8192};
  CHECK(spread_folds(widths, 2) == std::vector<int>{0, 0, 1, 0, 1});
}

TEST_CASE("summarise: median, p90, mean and signed bias of predicted / measured - 1", "[fit]") {
  const std::vector<double> predicted{110, 90, 100, 80, -1}, measured{100, 100, 100, 100, 100};
  const ErrorSummary s = summarise(predicted, measured);
  CHECK(s.n == 4);
  CHECK(s.mape == Approx(0.1));
  CHECK(s.median == Approx(0.1));
  CHECK(s.bias == Approx(-0.05));
}

TEST_CASE("fit_band: holds the promised share in each region and survives JSON", "[fit]") {
  std::vector<double> at, errors;
  for (int i = 0; i < 1000; ++i) {
    at.push_back(i);
    errors.push_back((i < 500 ? 0.01 : 0.1) * ((i * 37 % 100) - 50) / 50);
  }
  const BandCurve band = fit_band(at, errors, 0.9, 150, 4);
  int held = 0;
  for (std::size_t i = 0; i < at.size(); ++i) held += std::abs(errors[i]) <= band.at(at[i]);
  CHECK(held > 850);
  CHECK(held < 970);
  CHECK(band.at(0) < 0.02);
  CHECK(band.at(999) > 0.08);
  const auto back = read_band(to_value(band));
  REQUIRE(back);
  CHECK(back->at(400) == Approx(band.at(400)).margin(1e-3));
  CHECK_FALSE(read_band(Value{ValueObject{}}));
}
