// All attention kernels of a GPU: groups, held-out rows, bands, fidelity.
#include <algorithm>
#include <cmath>
#include <map>

#include "sim/fit/holdout.h"
#include "sim/kernels/attention_groups.h"
#include "sim/kernels/published.h"

namespace tpsim {
namespace {

constexpr int kHeadFolds = 6, kLevelFolds = 4, kRefitIterations = 12;

void hold_out(std::span<const AttentionRow> rows, const std::vector<int>& fold_of, int folds,
              const AttentionModel& model, std::vector<HeldAttention>& held) {
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<AttentionRow> training;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] != fold) training.push_back(rows[i]);
    if (training.size() == rows.size() || training.empty()) continue;
    const AttentionModel other = refit_attention(training, model, kRefitIterations);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] == fold) held.push_back({i, attention_time(rows[i].shape, other).us});
  }
}

std::vector<int> head_folds(std::span<const AttentionRow> rows) {
  std::vector<std::string> groups;
  for (const AttentionRow& row : rows)
    groups.push_back(std::to_string(row.shape.heads) + "/" + std::to_string(row.shape.kv_heads));
  return group_folds(groups, kHeadFolds);
}

std::vector<int> level_folds(std::span<const AttentionRow> rows, double AttentionShape::*size) {
  std::vector<double> levels;
  for (const AttentionRow& row : rows) levels.push_back(row.shape.*size);
  return spread_folds(levels, kLevelFolds);
}

FidelityLine line_of(const std::string& family, const std::string& key, std::span<const AttentionRow> rows,
                     const std::vector<HeldAttention>& held, const AttentionModel& model) {
  const GemmDevice& device = model.device;
  FidelityRows line;
  for (const HeldAttention& h : held) {
    const AttentionShape& s = rows[h.row].shape;
    const double flops = attention_flops(s), bytes = attention_bytes(s);
    line.add(rows[h.row].us, h.us, model.band.at(std::log2(h.us)),
             plain_roofline_us(flops, bytes, device.flops, device.bandwidth),
             derated_roofline_us(flops, bytes, device.flops, device.bandwidth));
  }
  return line.line(family, rows.front().gpu, key);
}

AttentionModel start_model(const AttentionCalibration* prior, const Hardware& hardware, const AttentionRow& row) {
  const DType cache = row.cache == "fp8" ? DType::fp8 : DType::bf16;
  AttentionModel model =
      attention_model(prior, hardware, {row.kind, cache, row.shape.key_dim, row.shape.window > 0, row.kernel});
  model.kernel = row.kernel;
  model.cache = row.cache;
  model.key_dim = row.shape.key_dim;
  model.windowed = row.shape.window > 0;
  if (row.kernel == "fa2") model.splits = ContextSplits::grouped;
  model.origin = published_origin(row.source);
  return model;
}

void set_bands(AttentionFit& fit, std::span<const AttentionRow> rows) {
  std::vector<double> at, errors;
  // Levels of two sizes are left out, so each row stands there twice: head counts count as much.
  for (const auto* held : {&fit.heads, &fit.heads, &fit.levels})
    for (const HeldAttention& h : *held) {
      at.push_back(std::log2(h.us));
      errors.push_back(std::log(rows[h.row].us / h.us));
    }
  fit.model.band = fit_band(at, errors, 0.9, 80, 6);
  for (double& e : errors) e = std::abs(e);
  fit.model.far_band = std::max(0.25, 1.5 * quantile(errors, 0.9));
}

// Groups with more rows first: they are priors of those with fewer.
std::vector<AttentionFit> fits_of(const std::vector<std::vector<AttentionRow>>& groups, const Hardware& hardware,
                                  const AttentionCalibration* prior) {
  AttentionCalibration own;
  if (prior != nullptr) own = *prior;
  std::vector<AttentionFit> fits;
  for (const std::vector<AttentionRow>& group : groups) {
    AttentionModel start = start_model(own.models.empty() ? nullptr : &own, hardware, group.front());
    start.source = NumberSource::spec;
    fits.push_back(fit_and_hold_out(group, start));
    own.models.push_back(fits.back().model);
  }
  return fits;
}

}  // namespace

std::string attention_key(const AttentionRow& row) {
  std::string key = to_string(row.kind);
  key += " " + row.kernel + " " + row.cache;
  if (row.kind == AttentionKind::prefill || row.kind == AttentionKind::decode)
    key += " d" + std::to_string(static_cast<int>(row.shape.key_dim));
  return row.shape.window > 0 ? key + " window" : key;
}

std::vector<std::vector<AttentionRow>> attention_groups(std::span<const AttentionRow> rows) {
  std::map<std::string, std::vector<AttentionRow>> by_key;
  for (const AttentionRow& row : rows) by_key[attention_key(row)].push_back(row);
  std::vector<std::vector<AttentionRow>> groups;
  for (auto& [key, group] : by_key) groups.push_back(std::move(group));
  std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return groups;
}

AttentionFit fit_and_hold_out(std::span<const AttentionRow> rows, const AttentionModel& prior) {
  AttentionFit fit{fit_attention(rows, prior), {}, {}};
  hold_out(rows, head_folds(rows), kHeadFolds, fit.model, fit.heads);
  hold_out(rows, level_folds(rows, &AttentionShape::sequences), kLevelFolds, fit.model, fit.levels);
  hold_out(rows, level_folds(rows, &AttentionShape::context), kLevelFolds, fit.model, fit.levels);
  set_bands(fit, rows);
  return fit;
}

AttentionCalibration fit_attention_calibration(std::span<const AttentionRow> rows, const Hardware& hardware,
                                               const AttentionCalibration* prior) {
  AttentionCalibration calibration;
  for (AttentionFit& fit : fits_of(attention_groups(rows), hardware, prior))
    calibration.models.push_back(std::move(fit.model));
  return calibration;
}

std::vector<FidelityLine> fidelity_attention(std::span<const AttentionRow> rows, const Hardware& hardware,
                                             const std::string& family) {
  const std::vector<std::vector<AttentionRow>> groups = attention_groups(rows);
  const std::vector<AttentionFit> fits = fits_of(groups, hardware, nullptr);
  std::vector<FidelityLine> lines;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::string key = attention_key(groups[i].front());
    lines.push_back(line_of(family, key + ", heads", groups[i], fits[i].heads, fits[i].model));
    lines.push_back(line_of(family, key + ", levels", groups[i], fits[i].levels, fits[i].model));
  }
  return lines;
}

}  // namespace tpsim
