#include "sim/fit/least_squares.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace tpsim {
namespace {

constexpr double kVeryBad = 1e3;

class Problem {
public:
  Problem(std::span<const FitParameter> parameters, std::size_t rows, const Residuals& residuals, double soft_l1)
      : parameters_(parameters), rows_(rows), residuals_(residuals), soft_l1_(soft_l1) {}

  Eigen::VectorXd start() const {
    Eigen::VectorXd x(size());
    for (Eigen::Index i = 0; i < x.size(); ++i) x[i] = std::log(parameter(i).start);
    return clamped(x);
  }

  Eigen::VectorXd clamped(Eigen::VectorXd x) const {
    for (Eigen::Index i = 0; i < x.size(); ++i)
      x[i] = std::clamp(x[i], std::log(parameter(i).low), std::log(parameter(i).high));
    return x;
  }

  bool at_low(const Eigen::VectorXd& x, Eigen::Index i) const { return x[i] <= std::log(parameter(i).low); }
  bool at_high(const Eigen::VectorXd& x, Eigen::Index i) const { return x[i] >= std::log(parameter(i).high); }

  std::vector<double> values(const Eigen::VectorXd& x) const {
    std::vector<double> v(static_cast<std::size_t>(x.size()));
    for (std::size_t i = 0; i < v.size(); ++i)
      v[i] = std::clamp(std::exp(x[static_cast<Eigen::Index>(i)]), parameters_[i].low, parameters_[i].high);
    return v;
  }

  // Residuals of the rows, then one per parameter for its prior.
  Eigen::VectorXd residuals(const Eigen::VectorXd& x) const {
    Eigen::VectorXd r(static_cast<Eigen::Index>(rows_) + size());
    residuals_(values(x), std::span<double>(r.data(), rows_));
    for (Eigen::Index i = 0; i < static_cast<Eigen::Index>(rows_); ++i)
      if (!std::isfinite(r[i])) r[i] = kVeryBad;
    for (Eigen::Index i = 0; i < size(); ++i) {
      const double sigma = parameter(i).prior_sigma;
      r[static_cast<Eigen::Index>(rows_) + i] = sigma > 0 ? (x[i] - std::log(parameter(i).start)) / sigma : 0;
    }
    return r;
  }

  double cost(const Eigen::VectorXd& r) const {
    double sum = 0;
    for (Eigen::Index i = 0; i < r.size(); ++i)
      sum += robust(i) ? 2 * square(soft_l1_) * (root(r[i]) - 1) : square(r[i]);
    return sum / 2;
  }

  // Square root of the weight that makes least squares descend the robust cost.
  Eigen::VectorXd weights(const Eigen::VectorXd& r) const {
    Eigen::VectorXd w(r.size());
    for (Eigen::Index i = 0; i < r.size(); ++i) w[i] = robust(i) ? 1 / std::sqrt(root(r[i])) : 1;
    return w;
  }

  Eigen::MatrixXd jacobian(const Eigen::VectorXd& x, const Eigen::VectorXd& r) const {
    constexpr double kStep = 1e-5;
    Eigen::MatrixXd j(r.size(), x.size());
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      Eigen::VectorXd moved = x;
      const double step = at_high(x, i) ? -kStep : kStep;
      moved[i] += step;
      j.col(i) = (residuals(moved) - r) / step;
    }
    return j;
  }

  Eigen::Index size() const { return static_cast<Eigen::Index>(parameters_.size()); }

private:
  const FitParameter& parameter(Eigen::Index i) const { return parameters_[static_cast<std::size_t>(i)]; }
  bool robust(Eigen::Index row) const { return soft_l1_ > 0 && row < static_cast<Eigen::Index>(rows_); }
  static double square(double v) { return v * v; }
  double root(double r) const { return std::sqrt(1 + square(r / soft_l1_)); }

  std::span<const FitParameter> parameters_;
  std::size_t rows_;
  const Residuals& residuals_;
  double soft_l1_;
};

// A parameter at its bound that the descent would push outside stays where it is.
void hold_at_bounds(const Problem& problem, const Eigen::VectorXd& x, Eigen::MatrixXd& normal,
                    Eigen::VectorXd& gradient) {
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const bool outward = (problem.at_low(x, i) && gradient[i] > 0) || (problem.at_high(x, i) && gradient[i] < 0);
    if (!outward) continue;
    normal.row(i).setZero();
    normal.col(i).setZero();
    normal(i, i) = 1;
    gradient[i] = 0;
  }
}

}  // namespace

FitResult least_squares(std::span<const FitParameter> parameters, std::size_t rows, const Residuals& residuals,
                        const FitOptions& options) {
  const Problem problem(parameters, rows, residuals, options.soft_l1);
  Eigen::VectorXd x = problem.start();
  Eigen::VectorXd r = problem.residuals(x);
  FitResult fit{problem.values(x), problem.cost(r), 0, parameters.empty()};
  double damping = 1e-3;
  while (!fit.converged && fit.iterations < options.iterations) {
    ++fit.iterations;
    const Eigen::VectorXd w = problem.weights(r);
    const Eigen::MatrixXd j = w.asDiagonal() * problem.jacobian(x, r);
    Eigen::VectorXd gradient = j.transpose() * w.cwiseProduct(r);
    Eigen::MatrixXd normal = j.transpose() * j;
    hold_at_bounds(problem, x, normal, gradient);
    bool moved = false;
    for (int trial = 0; trial < 12 && !moved; ++trial) {
      Eigen::MatrixXd damped = normal;
      damped.diagonal() += damping * (normal.diagonal().array() + 1e-9).matrix();
      const Eigen::VectorXd next = problem.clamped(x - damped.ldlt().solve(gradient));
      const Eigen::VectorXd next_r = problem.residuals(next);
      const double cost = problem.cost(next_r);
      moved = cost < fit.cost;
      damping = moved ? std::max(damping / 5, 1e-9) : damping * 4;
      if (!moved) continue;
      fit.converged = fit.cost - cost <= options.tolerance * fit.cost;
      x = next, r = next_r, fit.cost = cost;
    }
    fit.converged |= !moved;
  }
  fit.values = problem.values(x);
  return fit;
}

}  // namespace tpsim
