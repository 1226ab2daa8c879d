#include "sim/kernels/attention_fit.h"

#include <algorithm>
#include <cmath>

#include "sim/fit/least_squares.h"
#include "sim/kernels/attention_groups.h"

namespace tpsim {
namespace {

constexpr double kNoise = 0.08;

std::vector<AttentionConstantField> fields_of(AttentionKind kind, bool few) {
  std::vector<AttentionConstantField> fields;
  for (const AttentionConstantField& f : attention_constant_fields()) {
    if (!(is_decode(kind) ? f.decode : f.prefill)) continue;
    const bool scale = f.member == &AttentionConstants::start || f.member == &AttentionConstants::memory_share ||
                       f.member == &AttentionConstants::compute_share;
    if (!few || scale) fields.push_back(f);
  }
  return fields;
}

struct ConstantsFit {
  AttentionModel model;
  double cost = 0;
};

ConstantsFit fit_constants(std::span<const AttentionRow> rows, const AttentionModel& prior, bool few, int iterations) {
  const std::vector<AttentionConstantField> fields = fields_of(prior.kind, few);
  std::vector<FitParameter> parameters;
  for (const AttentionConstantField& f : fields)
    parameters.push_back({prior.constants.*(f.member), f.low, f.high, few ? 0.5 : 1.0});
  const auto with = [&](std::span<const double> values) {
    AttentionModel model = prior;
    for (std::size_t i = 0; i < values.size(); ++i) model.constants.*(fields[i].member) = values[i];
    return model;
  };
  const Residuals residuals = [&](std::span<const double> values, std::span<double> r) {
    const AttentionModel model = with(values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double rest = few ? prior.residual.at(attention_coordinates(rows[i].shape, prior.kind)) : 0;
      r[i] = (std::log(attention_physics(rows[i].shape, model).us / rows[i].us) + rest) / kNoise;
    }
  };
  const FitResult fit = least_squares(parameters, rows.size(), residuals, {iterations, 1.5, 1e-5});
  return {with(fit.values), fit.cost};
}

// Tile sizes, and whether contexts are split, cannot be fitted smoothly: all are tried.
ConstantsFit best_tile(std::span<const AttentionRow> rows, const AttentionModel& prior, int iterations) {
  ConstantsFit best = fit_constants(rows, prior, false, iterations);
  if (prior.source == NumberSource::calibrated) return best;
  const bool decode = is_decode(prior.kind);
  std::vector<ContextSplits> rules{prior.splits};
  if (decode && prior.splits == ContextSplits::always) rules.push_back(ContextSplits::never);
  for (const double tile : {16.0, 32.0, 64.0, 128.0, 256.0})
    for (const ContextSplits rule : rules) {
      if (decode ? tile > 128 : tile < 32) continue;
      AttentionModel start = prior;
      start.tile = tile;
      start.splits = rule;
      ConstantsFit fit = fit_constants(rows, start, false, iterations);
      if (fit.cost < best.cost) best = std::move(fit);
    }
  return best;
}

// Distances between knots per axis: sequences, tokens, heads, group.
ResidualGrid fit_residual(std::span<const AttentionRow> rows, const AttentionModel& model) {
  static constexpr double kGaps[] = {0.9, 0.9, 0.9, 0.9};
  std::vector<GridSample> samples;
  std::array<std::vector<double>, 4> at;
  for (const AttentionRow& row : rows) {
    GridSample sample;
    sample.at = attention_coordinates(row.shape, model.kind);
    sample.value = std::log(row.us / attention_physics(row.shape, model).us);
    for (std::size_t i = 0; i < 4; ++i) at[i].push_back(sample.at[i]);
    samples.push_back(sample);
  }
  std::vector<GridAxis> axes;
  for (std::size_t i = 0; i < 4; ++i) axes.push_back({attention_axes(model.kind)[i], knots_of(at[i], kGaps[i])});
  return ResidualGrid::fit(std::move(axes), samples, attention_grid_options());
}

}  // namespace

GridOptions attention_grid_options() { return {{0.15, 0.15, 0.5, 1.0}, 0.05, 0.7}; }

AttentionModel refit_attention(std::span<const AttentionRow> rows, const AttentionModel& prior, int iterations) {
  if (rows.empty()) return prior;
  const bool few = rows.size() < kFewAttentionRows;
  AttentionModel model =
      few ? fit_constants(rows, prior, true, iterations).model : best_tile(rows, prior, iterations).model;
  if (!few) model.residual = fit_residual(rows, model);
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.size());
  return model;
}

AttentionModel fit_attention(std::span<const AttentionRow> rows, const AttentionModel& prior) {
  return refit_attention(rows, prior, 60);
}

}  // namespace tpsim
