#include "sim/kernels/gemm_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "sim/fit/holdout.h"
#include "sim/fit/least_squares.h"
#include "sim/kernels/gemm_rows.h"

namespace tpsim {
namespace {

constexpr double kNoise = 0.08;          // of one row, in ln: what a prior is weighed against
constexpr std::size_t kMostRows = 1500;  // that constants are fitted on
constexpr int kFolds = 8;

struct Freedom {
  std::vector<const GemmConstantField*> fields;
  double prior_sigma = 0;
};

Freedom freedom_of(std::span<const GemmRow> rows, const GemmModel& prior) {
  Freedom f;
  const bool few = rows.size() < kFewGemmRows;
  f.prior_sigma = rows.size() < kSomeGemmRows ? 0.5 : 2;
  const bool hot = std::any_of(rows.begin(), rows.end(), [](const GemmRow& r) { return r.shape.copies > 0; });
  for (const GemmConstantField& field : gemm_constant_fields()) {
    const std::string_view name = field.name;
    const bool scale = name == "start" || name == "memory_share" || name == "compute_share";
    if (few && !scale) continue;
    if (field.quantise_only && !prior.quantises) continue;
    if (name.starts_with("cache_") && (!hot || prior.device.l2 <= 0)) continue;
    f.fields.push_back(&field);
  }
  return f;
}

GemmConstants with_values(GemmConstants constants, const Freedom& freedom, std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) constants.*(freedom.fields[i]->member) = values[i];
  return constants;
}

// Evenly spaced over the list, which is sorted by sizes in every table met so far.
std::vector<const GemmRow*> thinned(std::span<const GemmRow> rows) {
  std::vector<const GemmRow*> chosen;
  const std::size_t count = std::min(rows.size(), kMostRows);
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(&rows[i * rows.size() / count]);
  return chosen;
}

GemmConstants fit_constants(std::span<const GemmRow> rows, const GemmModel& prior, const Freedom& freedom,
                            int iterations) {
  std::vector<FitParameter> parameters;
  for (const GemmConstantField* field : freedom.fields)
    parameters.push_back({prior.constants.*(field->member), field->low, field->high, freedom.prior_sigma});
  const auto chosen = thinned(rows);
  const bool corrected = rows.size() < kFewGemmRows;
  const Residuals residuals = [&](std::span<const double> values, std::span<double> r) {
    GemmModel model = prior;
    if (!corrected) model.residual = {};
    model.constants = with_values(prior.constants, freedom, values);
    for (std::size_t i = 0; i < chosen.size(); ++i)
      r[i] = std::log(gemm_time(chosen[i]->shape, model).us / chosen[i]->us) / kNoise;
  };
  const FitResult fit = least_squares(parameters, chosen.size(), residuals, {iterations, 1, 1e-4});
  return with_values(prior.constants, freedom, fit.values);
}

// Where errors are cut off: beyond what is usual for the prior, so that a prior that is wrong everywhere can be seen.
double worst_error(std::span<const GemmRow> rows, const GemmModel& prior) {
  std::vector<double> errors;
  for (const GemmRow& row : rows) errors.push_back(std::abs(std::log(gemm_time(row.shape, prior).us / row.us)));
  return std::max(0.25, 2 * quantile(errors, 0.5));
}

// Error on each row of a fit to the others; one row cannot count for more than the worst.
double left_out_error(std::span<const GemmRow> rows, const GemmModel& prior, const Freedom& freedom) {
  const double worst = worst_error(rows, prior);
  double sum = 0;
  for (std::size_t out = 0; out < rows.size(); ++out) {
    GemmModel model = prior;
    if (freedom.prior_sigma > 0) {
      std::vector<GemmRow> others(rows.begin(), rows.end());
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(out));
      model.constants = fit_constants(others, prior, freedom, 20);
    }
    sum += std::min(std::abs(std::log(gemm_time(rows[out].shape, model).us / rows[out].us)), worst);
  }
  return sum;
}

// A row that is far off in its own way says more about itself than about the device.
std::vector<GemmRow> agreeing(std::span<const GemmRow> rows, const GemmModel& prior) {
  std::vector<double> errors, distances;
  for (const GemmRow& row : rows) errors.push_back(std::log(gemm_time(row.shape, prior).us / row.us));
  const double middle = quantile(errors, 0.5);
  for (double error : errors) distances.push_back(std::abs(error - middle));
  const double most = std::max(0.25, 4 * quantile(distances, 0.5));
  std::vector<GemmRow> kept;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (distances[i] <= most) kept.push_back(rows[i]);
  return kept;
}

// Few rows move the constants as far as they foretell each other, and no further.
GemmConstants rescaled(std::span<const GemmRow> all, const GemmModel& prior, Freedom freedom) {
  const std::vector<GemmRow> rows = agreeing(all, prior);
  double best = 0, best_error = 0;
  for (double sigma : {0.0, 0.05, 0.1, 0.2, 0.4, 0.8}) {
    freedom.prior_sigma = sigma;
    const double error = left_out_error(rows, prior, freedom);
    if (sigma > 0 && error >= best_error) continue;
    best = sigma;
    best_error = error;
  }
  freedom.prior_sigma = best;
  return best > 0 ? fit_constants(rows, prior, freedom, 40) : prior.constants;
}

// Fading over eight octaves beyond the ends: held-out widths beyond them want most of the correction of the end.
GridAxis axis_of(const char* name, std::vector<double> coordinates, double gap) {
  return {name, knots_of(std::move(coordinates), gap), 8, 8};
}

ResidualGrid fit_residual(std::span<const GridSample> samples) {
  std::array<std::vector<double>, 3> coordinates;
  for (const GridSample& sample : samples)
    for (std::size_t d = 0; d < 3; ++d) coordinates[d].push_back(sample.at[d]);
  std::vector<GridAxis> axes{axis_of("log2_m", coordinates[0], 0.2), axis_of("log2_n", coordinates[1], 0.1),
                             axis_of("log2_k", coordinates[2], 0.1)};
  return ResidualGrid::fit(std::move(axes), samples, {{0.03, 0.03, 0.03}, 0.02, 0.7, 0.12});
}

struct Widths {
  std::set<double> n, k;
  bool hold(const GemmShape& s) const {
    return s.n >= *n.begin() && s.n <= *n.rbegin() && s.k >= *k.begin() && s.k <= *k.rbegin();
  }
};

std::vector<int> width_folds(std::span<const GemmRow> rows) {
  std::vector<double> widths;
  for (const GemmRow& row : rows) widths.insert(widths.end(), {row.shape.n, row.shape.k});
  return spread_folds(widths, kFolds);
}

std::vector<GridSample> without(std::span<const GridSample> samples, const std::set<double>& widths) {
  std::vector<GridSample> kept;
  for (const GridSample& sample : samples)
    if (!widths.contains(sample.at[1]) && !widths.contains(sample.at[2])) kept.push_back(sample);
  return kept;
}

// Every row predicted by a fit that saw neither its n nor its k as a width (one of both, for rows held twice).
std::vector<HeldRow> held_out(std::span<const GemmRow> rows, const GemmModel& start,
                              std::span<const GridSample> siblings) {
  const std::vector<int> fold_of = width_folds(rows);
  std::vector<HeldRow> held;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<GemmRow> training;
    std::vector<std::size_t> tests;
    Widths widths;
    std::set<double> gone;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (fold_of[2 * i] == fold || fold_of[2 * i + 1] == fold) {
        tests.push_back(i);
        if (fold_of[2 * i] == fold) gone.insert(std::log2(rows[i].shape.n));
        if (fold_of[2 * i + 1] == fold) gone.insert(std::log2(rows[i].shape.k));
        continue;
      }
      training.push_back(rows[i]);
      widths.n.insert(rows[i].shape.n);
      widths.k.insert(rows[i].shape.k);
    }
    if (training.empty()) continue;
    const GemmModel model = refit_gemm(training, start, 6, without(siblings, gone));
    for (std::size_t i : tests) held.push_back({i, gemm_time(rows[i].shape, model).us, !widths.hold(rows[i].shape)});
  }
  return held;
}

void set_bands(GemmModel& model, std::span<const GemmRow> rows, std::span<const HeldRow> held) {
  std::vector<double> at, errors, beyond;
  for (const HeldRow& h : held) {
    const double error = std::log(rows[h.row].us / h.us);
    if (h.beyond) {
      beyond.push_back(std::abs(error));
    } else {
      at.push_back(std::log2(h.us));
      errors.push_back(error);
    }
  }
  model.band = fit_band(at, errors);
  if (!beyond.empty()) model.far_band = std::max(0.15, quantile(beyond, 0.9));
}

}  // namespace

std::vector<GridSample> gemm_residuals(std::span<const GemmRow> rows, const GemmModel& model, double weight) {
  std::vector<GridSample> samples;
  samples.reserve(rows.size());
  for (const GemmRow& row : rows) {
    const double value = std::log(row.us / gemm_physics(row.shape, model).us);
    samples.push_back(
        {{std::log2(row.shape.m), std::log2(row.shape.n), std::log2(row.shape.k), 0}, value, weight * row_weight(row)});
  }
  return samples;
}

GemmModel refit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, int iterations,
                     std::span<const GridSample> siblings) {
  GemmModel model = prior;
  if (rows.empty()) return model;
  const Freedom freedom = freedom_of(rows, prior);
  model.constants =
      rows.size() < kFewGemmRows ? rescaled(rows, prior, freedom) : fit_constants(rows, prior, freedom, iterations);
  if (rows.size() >= kFewGemmRows) {
    std::vector<GridSample> samples(siblings.begin(), siblings.end());
    if (rows.size() >= kSomeGemmRows) {
      const std::vector<GridSample> own = gemm_residuals(rows, model, 1);
      samples.insert(samples.end(), own.begin(), own.end());
    }
    model.residual = samples.empty() ? ResidualGrid() : fit_residual(samples);
  }
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.size());
  return model;
}

GemmModel fit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, std::span<const GridSample> siblings) {
  return refit_gemm(rows, prior, 40, siblings);
}

GemmFit fit_and_hold_out(std::span<const GemmRow> rows, const GemmModel& prior, std::span<const GridSample> siblings) {
  GemmFit fit{fit_gemm(rows, prior, siblings), {}};
  if (rows.size() < kSomeGemmRows) return fit;
  fit.held = held_out(rows, fit.model, siblings);
  set_bands(fit.model, rows, fit.held);
  return fit;
}

}  // namespace tpsim
