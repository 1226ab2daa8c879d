// Bounded, robust Levenberg-Marquardt for the few constants of a kernel or network model.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace tpsim {

// A positive constant; the fit works on its logarithm. `low` and `high` are kept exactly.
struct FitParameter {
  double start = 1;
  double low = 1e-6, high = 1e6;
  // Standard deviation of ln(value / start) that prior knowledge allows; 0 = no prior. With few rows a prior decides
  // what the rows cannot.
  double prior_sigma = 0;
};

struct FitOptions {
  int iterations = 100;
  // Residuals beyond this count linearly (soft L1), so that outliers do not rule; 0 = plain least squares.
  double soft_l1 = 0.1;
  double tolerance = 1e-7;  // relative decrease of the cost that ends the fit
};

struct FitResult {
  std::vector<double> values;
  double cost = 0;  // half the sum of the robust squares, priors included
  int iterations = 0;
  bool converged = false;
};

// Writes one residual, usually weight * ln(model / measured), for each row.
using Residuals = std::function<void(std::span<const double> values, std::span<double> residuals)>;

// Starts are clamped into their bounds. A residual that is not finite counts as a very bad one.
FitResult least_squares(std::span<const FitParameter> parameters, std::size_t rows, const Residuals& residuals,
                        const FitOptions& options = {});

}  // namespace tpsim
