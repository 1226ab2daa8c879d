#include <Eigen/Sparse>
#include <algorithm>
#include <cmath>

#include "sim/fit/residual_grid.h"

namespace tpsim {
namespace {

using Triplet = Eigen::Triplet<double>;

// Adds weight * a a^T for a sparse row `a`.
void add_square(const std::vector<std::pair<std::size_t, double>>& a, double weight, std::vector<Triplet>& normal) {
  for (const auto& [i, x] : a)
    for (const auto& [j, y] : a)
      if (j <= i) normal.emplace_back(static_cast<int>(i), static_cast<int>(j), weight * x * y);
}

struct Sizes {
  std::vector<std::size_t> knots, stride;
  std::size_t total = 1;
};

Sizes sizes_of(const std::vector<GridAxis>& axes) {
  Sizes s;
  for (const GridAxis& axis : axes) s.knots.push_back(axis.knots.size());
  s.stride.resize(axes.size());
  for (std::size_t d = axes.size(); d-- > 0;) {
    s.stride[d] = s.total;
    s.total *= s.knots[d];
  }
  return s;
}

std::vector<std::pair<std::size_t, double>> corners(const std::vector<GridAxis>& axes, const Sizes& sizes,
                                                    const GridSample& sample) {
  std::vector<std::pair<std::size_t, double>> row{{0, 1.0}};
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const auto& knots = axes[d].knots;
    const double x = std::clamp(sample.at[d], knots.front(), knots.back());
    const auto above = std::upper_bound(knots.begin() + 1, knots.end(), x);
    const std::size_t high = std::min(static_cast<std::size_t>(above - knots.begin()), knots.size() - 1);
    const std::size_t low = high == 0 ? 0 : high - 1;
    const double upper = high == low ? 0 : (x - knots[low]) / (knots[high] - knots[low]);
    std::vector<std::pair<std::size_t, double>> next;
    for (const auto& [index, weight] : row) {
      if (upper < 1) next.emplace_back(index + low * sizes.stride[d], weight * (1 - upper));
      if (upper > 0) next.emplace_back(index + high * sizes.stride[d], weight * upper);
    }
    row = std::move(next);
  }
  return row;
}

// Second differences along one axis, scaled by the distance of the knots so that uneven knots bend alike.
void add_smoothing(const std::vector<GridAxis>& axes, const Sizes& sizes, std::size_t d, double weight,
                   std::vector<Triplet>& normal) {
  const auto& knots = axes[d].knots;
  for (std::size_t index = 0; index < sizes.total; ++index) {
    const std::size_t i = index / sizes.stride[d] % sizes.knots[d];
    if (i == 0 || i + 1 == sizes.knots[d]) continue;
    const double left = knots[i] - knots[i - 1], right = knots[i + 1] - knots[i];
    const double a = right / (left + right), b = left / (left + right);
    add_square({{index - sizes.stride[d], a}, {index, -1.0}, {index + sizes.stride[d], b}}, weight * 4, normal);
  }
}

// Conjugate gradients with the diagonal as preconditioner; `lower` holds the lower triangle.
Eigen::VectorXd solve(const Eigen::SparseMatrix<double>& lower, const Eigen::VectorXd& right) {
  constexpr int kMostSteps = 2000;
  constexpr double kAccuracy = 1e-6;
  const Eigen::VectorXd inverse = lower.diagonal().cwiseInverse();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(right.size()), r = right, z = inverse.cwiseProduct(r), direction = z;
  double product = r.dot(z);
  const double enough = kAccuracy * kAccuracy * right.squaredNorm();
  for (int step = 0; step < kMostSteps && r.squaredNorm() > enough; ++step) {
    const Eigen::VectorXd applied = lower.selfadjointView<Eigen::Lower>() * direction;
    const double length = product / direction.dot(applied);
    x += length * direction;
    r -= length * applied;
    z = inverse.cwiseProduct(r);
    const double next = r.dot(z);
    direction = z + next / product * direction;
    product = next;
  }
  return x;
}

std::int16_t stored(double value, double most) {
  return static_cast<std::int16_t>(std::lround(std::clamp(value, -most, most) / ResidualGrid::kStep));
}

constexpr double kStiff = 0.5;

Eigen::VectorXd fitted(const std::vector<GridAxis>& axes, std::span<const GridSample> samples,
                       std::span<const double> weights, const GridOptions& options) {
  const Sizes sizes = sizes_of(axes);
  std::vector<Triplet> normal;
  Eigen::VectorXd right = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(sizes.total));
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const auto row = corners(axes, sizes, samples[s]);
    add_square(row, weights[s], normal);
    for (const auto& [i, share] : row) right[static_cast<Eigen::Index>(i)] += weights[s] * share * samples[s].value;
  }
  for (std::size_t i = 0; i < sizes.total; ++i) add_square({{i, 1.0}}, std::max(options.ridge, 1e-6), normal);
  for (std::size_t d = 0; d < axes.size(); ++d)
    add_smoothing(axes, sizes, d, d < options.smoothness.size() ? options.smoothness[d] : 0.1, normal);
  const auto n = static_cast<Eigen::Index>(sizes.total);
  Eigen::SparseMatrix<double> matrix(n, n);
  matrix.setFromTriplets(normal.begin(), normal.end());
  return solve(matrix, right);
}

}  // namespace

ResidualGrid ResidualGrid::fit(std::vector<GridAxis> axes, std::span<const GridSample> samples,
                               const GridOptions& options) {
  std::vector<double> weights;
  for (const GridSample& sample : samples) weights.push_back(sample.weight);
  if (options.outlier > 0) {
    // A surface that is too stiff to follow single rows shows which ones stand alone.
    GridOptions stiff = options;
    for (double& smoothness : stiff.smoothness) smoothness = std::max(smoothness, kStiff);
    const Eigen::VectorXd surface = fitted(axes, samples, weights, stiff);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      double value = 0;
      for (const auto& [index, share] : corners(axes, sizes_of(axes), samples[i]))
        value += share * surface[static_cast<Eigen::Index>(index)];
      const double off = (samples[i].value - value) / options.outlier;
      weights[i] /= 1 + off * off;
    }
  }
  const Eigen::VectorXd x = fitted(axes, samples, weights, options);
  ResidualGrid grid;
  grid.axes_ = std::move(axes);
  for (double value : x) grid.values_.push_back(stored(value, std::min(options.most, 60.0)));
  return grid;
}

}  // namespace tpsim
