#include "sim/kernels/gemm_fit.h"

#include <algorithm>
#include <cmath>
#include <map>
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
  f.prior_sigma = few ? 0.25 : rows.size() < kSomeGemmRows ? 0.5 : 2;
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

GemmConstants fit_constants(std::span<const GemmRow> rows, const GemmModel& prior, int iterations) {
  const Freedom freedom = freedom_of(rows, prior);
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

// Fading over two octaves beyond the ends: the physics is trusted far outside.
GridAxis axis_of(const char* name, std::vector<double> coordinates, double gap) {
  return {name, knots_of(std::move(coordinates), gap), 2, 2};
}

ResidualGrid fit_residual(std::span<const GemmRow> rows, const GemmModel& model) {
  std::vector<GridSample> samples;
  std::array<std::vector<double>, 3> coordinates;
  for (const GemmRow& row : rows) {
    const std::array<double, 3> at{std::log2(row.shape.m), std::log2(row.shape.n), std::log2(row.shape.k)};
    for (std::size_t d = 0; d < 3; ++d) coordinates[d].push_back(at[d]);
    const double value = std::log(row.us / gemm_physics(row.shape, model).us);
    samples.push_back({{at[0], at[1], at[2], 0}, value, row_weight(row)});
  }
  std::vector<GridAxis> axes{axis_of("log2_m", coordinates[0], 0.2), axis_of("log2_n", coordinates[1], 0.1),
                             axis_of("log2_k", coordinates[2], 0.1)};
  return ResidualGrid::fit(std::move(axes), samples, {{0.1, 0.1, 0.1}, 0.02, 0.7});
}

struct Held {
  std::size_t row = 0;
  double us = 0;
  bool beyond = false;  // outside the widths that the fit saw
};

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

// Every row predicted by a fit that saw neither its n nor its k as a width (one of both, for rows held twice).
std::vector<Held> held_out(std::span<const GemmRow> rows, const GemmModel& start) {
  const std::vector<int> fold_of = width_folds(rows);
  std::vector<Held> held;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<GemmRow> training;
    std::vector<std::size_t> tests;
    Widths widths;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (fold_of[2 * i] == fold || fold_of[2 * i + 1] == fold) {
        tests.push_back(i);
        continue;
      }
      training.push_back(rows[i]);
      widths.n.insert(rows[i].shape.n);
      widths.k.insert(rows[i].shape.k);
    }
    if (training.empty()) continue;
    const GemmModel model = refit_gemm(training, start, 6);
    for (std::size_t i : tests) held.push_back({i, gemm_time(rows[i].shape, model).us, !widths.hold(rows[i].shape)});
  }
  return held;
}

std::vector<GemmRow> rows_of(std::span<const GemmRow> rows, std::string_view kernel) {
  std::vector<GemmRow> chosen;
  for (const GemmRow& row : rows)
    if (row.kernel == kernel) chosen.push_back(row);
  return chosen;
}

std::vector<std::string> kernels_of(std::span<const GemmRow> rows) {
  std::set<std::string> kernels;
  for (const GemmRow& row : rows) kernels.insert(row.kernel);
  return {kernels.begin(), kernels.end()};
}

void set_bands(GemmModel& model, std::span<const GemmRow> rows, std::span<const Held> held) {
  std::vector<double> at, errors, beyond;
  for (const Held& h : held) {
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

GemmModel start_model(const GemmCalibration* prior, const Hardware& hardware, const GemmRow& row) {
  const bool fp8 = row.kernel.starts_with("fp8");
  return gemm_model(prior, hardware,
                    fp8                    ? DType::fp8
                    : row.kernel == "fp16" ? DType::fp16
                                           : DType::bf16,
                    row.kernel == "fp8_block");
}

FidelityLine line_of(const std::string& key, std::span<const GemmRow> rows, const GemmModel& start,
                     std::span<const Held> held, bool beyond) {
  std::vector<double> predicted, roofline, derated, measured;
  for (const Held& h : held) {
    if (h.beyond != beyond) continue;
    const GemmShape& s = rows[h.row].shape;
    const double flops = 2 * s.m * s.n * s.k;
    const double bytes = start.operand_bytes * (s.n * s.k + s.m * s.k) + 2 * s.m * s.n;
    predicted.push_back(h.us);
    measured.push_back(rows[h.row].us);
    roofline.push_back(plain_roofline_us(flops, bytes, start.device.flops, start.device.bandwidth));
    derated.push_back(derated_roofline_us(flops, bytes, start.device.flops, start.device.bandwidth));
  }
  return {"gemm",
          rows.front().gpu,
          key,
          summarise(predicted, measured),
          summarise(roofline, measured),
          summarise(derated, measured)};
}

}  // namespace

GemmModel refit_gemm(std::span<const GemmRow> rows, const GemmModel& prior, int iterations) {
  GemmModel model = prior;
  if (rows.empty()) return model;
  model.constants = fit_constants(rows, prior, iterations);
  if (rows.size() >= kSomeGemmRows) {
    model.residual = fit_residual(rows, model);
  } else if (rows.size() >= kFewGemmRows) {
    model.residual = {};
  }
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.size());
  return model;
}

GemmModel fit_gemm(std::span<const GemmRow> rows, const GemmModel& prior) { return refit_gemm(rows, prior, 40); }

GemmCalibration fit_gemm_calibration(std::span<const GemmRow> rows, const Hardware& hardware,
                                     const GemmCalibration* prior) {
  GemmCalibration calibration;
  for (const std::string& kernel : kernels_of(rows)) {
    const std::vector<GemmRow> own = rows_of(rows, kernel);
    GemmModel model = fit_gemm(own, start_model(prior, hardware, own.front()));
    model.kernel = kernel;
    if (own.size() >= kSomeGemmRows) set_bands(model, own, held_out(own, model));
    calibration.models.push_back(std::move(model));
  }
  return calibration;
}

std::vector<FidelityLine> fidelity_gemm(std::span<const GemmRow> rows, const Hardware& hardware) {
  std::vector<FidelityLine> lines;
  for (const std::string& kernel : kernels_of(rows)) {
    const std::vector<GemmRow> own = rows_of(rows, kernel);
    const GemmModel model = fit_gemm(own, start_model(nullptr, hardware, own.front()));
    const std::vector<Held> held = held_out(own, model);
    lines.push_back(line_of(kernel, own, model, held, false));
    lines.push_back(line_of(kernel + ", beyond", own, model, held, true));
  }
  return lines;
}

}  // namespace tpsim
