#include "sim/kernels/moe_fit.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/fit/holdout.h"
#include "sim/fit/least_squares.h"
#include "sim/kernels/published.h"

namespace tpsim {
namespace {

constexpr double kNoise = 0.1;
constexpr double kUncheckedBand = 0.4;  // of kernels measured on one model only
constexpr int kFolds = 13, kRefitIterations = 12;

bool before_024(const std::string& source) { return source.find("vllm-0.14") != std::string::npos; }

// Models whose experts have no gate; vLLM runs them as they are, its collectors before 0.24 with one.
bool without_gate(double hidden, double inter, const std::string& source) {
  static constexpr std::pair<double, double> kModels[] = {{2688, 1856}, {1024, 2688}, {2048, 5120}, {4096, 2688}};
  return source.find("vllm") != std::string::npos && !before_024(source) &&
         std::find(std::begin(kModels), std::end(kModels), std::pair{hidden, inter}) != std::end(kModels);
}

// Collectors before vLLM 0.24 gave pairs that rounding had lost to the first experts, all of them on the first rank.
double row_imbalance(MoeShape s, double ranks, const std::string& source) {
  const double drawn = expert_imbalance(s.tokens, s.experts, s.topk, ranks, s.routing);
  if (ranks <= 1 || s.routing != Routing::power_law || !before_024(source)) return drawn;
  s.local_experts = s.experts;
  const ExpertLoads loads = expert_loads(s);
  double lost = 0;
  for (int i = 0; i < loads.groups; ++i)
    if (const double load = loads.load[static_cast<std::size_t>(i)]; load < 0.5) lost += load * loads.per_group;
  const double first = std::min(lost, s.experts / ranks);
  return std::min(ranks, (1 - lost / loads.pairs) * drawn + first * ranks / loads.pairs);
}

MoeModel fit_constants(std::span<const MoeRow> rows, const MoeModel& prior, bool few, int iterations) {
  std::vector<MoeConstantField> fields;
  for (const MoeConstantField& f : moe_constant_fields())
    if (!few || f.member == &MoeConstants::start || f.member == &MoeConstants::memory_share ||
        f.member == &MoeConstants::compute_share)
      fields.push_back(f);
  std::vector<FitParameter> parameters;
  for (const MoeConstantField& f : fields)
    parameters.push_back({prior.constants.*(f.member), f.low, f.high, few ? 0.5 : 1.0});
  const auto with = [&](std::span<const double> values) {
    MoeModel model = prior;
    for (std::size_t i = 0; i < values.size(); ++i) model.constants.*(fields[i].member) = values[i];
    return model;
  };
  const Residuals residuals = [&](std::span<const double> values, std::span<double> r) {
    const MoeModel model = with(values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double rest = few ? prior.residual.at(moe_coordinates(rows[i].shape)) : 0;
      r[i] = (std::log(moe_physics(rows[i].shape, model).us / rows[i].us) + rest) / kNoise;
    }
  };
  return with(least_squares(parameters, rows.size(), residuals, {iterations, 1.5, 1e-5}).values);
}

ResidualGrid fit_residual(std::span<const MoeRow> rows, const MoeModel& model) {
  static constexpr double kGaps[] = {0.9, 0.9, 0.9};
  std::vector<GridSample> samples;
  std::array<std::vector<double>, kMoeAxes> at;
  for (const MoeRow& row : rows) {
    GridSample sample;
    const std::array<double, kMoeAxes> where = moe_coordinates(row.shape);
    std::copy(where.begin(), where.end(), sample.at.begin());
    for (std::size_t i = 0; i < kMoeAxes; ++i) at[i].push_back(where[i]);
    sample.value = std::log(row.us / moe_physics(row.shape, model).us);
    samples.push_back(sample);
  }
  std::vector<GridAxis> axes;
  for (std::size_t i = 0; i < kMoeAxes; ++i) axes.push_back({moe_axes()[i], knots_of(at[i], kGaps[i])});
  GridOptions options;
  options.smoothness = {0.3, 1.0, 1.0};
  options.ridge = 0.1;
  return ResidualGrid::fit(std::move(axes), samples, options);
}

MoeModel refit(std::span<const MoeRow> rows, const MoeModel& prior, int iterations) {
  if (rows.empty()) return prior;
  const bool few = rows.size() < kFewMoeRows;
  MoeModel model = fit_constants(rows, prior, few, iterations);
  if (!few) model.residual = fit_residual(rows, model);
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.size());
  return model;
}

struct HeldMoe {
  std::size_t row = 0;
  double us = 0;
};
struct MoeFit {
  MoeModel model;
  std::vector<HeldMoe> held;
};

MoeFit fit_and_hold_out(std::span<const MoeRow> rows, const MoeModel& prior) {
  MoeFit fit{fit_moe(rows, prior), {}};
  std::vector<std::string> models;
  for (const MoeRow& row : rows) models.push_back(row.model);
  const std::vector<int> fold_of = group_folds(models, kFolds);
  std::vector<double> at, errors, wide;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<MoeRow> training;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] != fold) training.push_back(rows[i]);
    if (training.size() == rows.size() || training.empty()) continue;
    MoeModel start = prior;
    start.constants = fit.model.constants;
    const MoeModel other = refit(training, start, kRefitIterations);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] == fold) fit.held.push_back({i, moe_time(rows[i].shape, other).us});
  }
  for (const HeldMoe& h : fit.held) {
    at.push_back(std::log2(h.us));
    errors.push_back(std::log(rows[h.row].us / h.us));
  }
  for (const double& e : errors) wide.push_back(std::abs(e));
  fit.model.band = errors.empty() ? BandCurve{{0}, {kUncheckedBand}} : fit_band(at, errors, 0.9, 60, 6);
  fit.model.far_band = errors.empty() ? kUncheckedBand : std::max(0.3, 1.3 * quantile(wide, 0.9));
  return fit;
}

using Groups = std::vector<std::vector<MoeRow>>;

// Balanced rows of a kernel and type before skewed ones: they are those' prior.
Groups groups_of(std::span<const MoeRow> rows) {
  std::map<std::string, std::vector<MoeRow>> by_key;
  for (const MoeRow& row : rows)
    by_key[row.kernel + " " + row.dtype + " " + to_string(row.shape.routing)].push_back(row);
  Groups groups;
  for (auto& [key, group] : by_key) groups.push_back(std::move(group));
  return groups;
}

std::vector<MoeFit> fits_of(const Groups& groups, const Hardware& hardware) {
  MoeCalibration own;
  std::vector<MoeFit> fits;
  for (const std::vector<MoeRow>& group : groups) {
    const MoeRow& first = group.front();
    const bool skewed = first.shape.routing == Routing::power_law;
    const DType products = first.dtype == "bf16" ? DType::bf16 : DType::fp8;
    const MoeChoice choice{products, first.dtype == "fp8_block", skewed, first.kernel};
    MoeModel start = moe_model(&own, hardware, choice);
    if (start.kernel != first.kernel || start.dtype != first.dtype) start = spec_moe_model(hardware, choice);
    start.kernel = first.kernel;
    start.dtype = first.dtype;
    start.skewed = skewed;
    start.origin = published_origin(first.source);
    fits.push_back(fit_and_hold_out(group, start));
    own.models.push_back(fits.back().model);
  }
  return fits;
}

}  // namespace

Result<std::vector<MoeRow>> read_moe_rows(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "tokens", "hidden", "inter", "topk", "experts", "time_us"}); !ok)
    return ok.error();
  const MeasuredColumn gpu(table, "gpu"), source(table, "source"), kernel(table, "kernel"),
      dtype(table, "dtype", "bf16"), tokens(table, "tokens"), hidden(table, "hidden"), inter(table, "inter"),
      topk(table, "topk"), experts(table, "experts"), tp(table, "tp", "1"), ep(table, "ep", "1"),
      dist(table, "dist", "balanced"), time(table, "time_us");
  std::vector<MoeRow> rows;
  for (const MeasuredRow& line : table.rows) {
    const auto t = tokens.positive(line), h = hidden.positive(line), i = inter.positive(line), k = topk.positive(line),
               e = experts.positive(line), n = tp.positive(line), ranks = ep.positive(line), us = time.positive(line);
    for (const auto* number : {&t, &h, &i, &k, &e, &n, &ranks, &us})
      if (!*number) return Result<double>(*number).error();
    if (*k > *e) return topk.error(line, "topk is above the number of experts");
    if (*ranks > *e) return ep.error(line, "ep is above the number of experts");
    MoeRow row{std::string(gpu.text(line)),
               std::string(source.text(line)),
               std::string(kernel.text(line)),
               std::string(dtype.text(line)),
               {},
               {},
               *us};
    for (const MeasuredColumn* column : {&hidden, &inter, &experts, &topk})
      row.model += std::string(column->text(line)) + " ";
    MoeShape& s = row.shape;
    s.tokens = *t;
    s.hidden = *h;
    s.inter = *i / *n;
    s.topk = *k;
    s.experts = *e;
    s.local_experts = *e / *ranks;
    s.matrices = without_gate(*h, *i, row.source) ? 2 : 3;
    s.weight_bytes = row.dtype.starts_with("fp8") || row.dtype.starts_with("int8") ? 1 : 2;
    s.routing = dist.text(line).starts_with("power_law") ? Routing::power_law : Routing::balanced;
    s.imbalance = row_imbalance(s, *ranks, row.source);
    s.hot = true;
    rows.push_back(std::move(row));
  }
  return rows;
}

MoeModel fit_moe(std::span<const MoeRow> rows, const MoeModel& prior) { return refit(rows, prior, 50); }

MoeCalibration fit_moe_calibration(std::span<const MoeRow> rows, const Hardware& hardware) {
  MoeCalibration calibration;
  for (MoeFit& fit : fits_of(groups_of(rows), hardware)) calibration.models.push_back(std::move(fit.model));
  return calibration;
}

std::vector<FidelityLine> fidelity_moe(std::span<const MoeRow> rows, const Hardware& hardware) {
  const Groups groups = groups_of(rows);
  const std::vector<MoeFit> fits = fits_of(groups, hardware);
  std::vector<FidelityLine> lines;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (fits[g].held.empty()) continue;
    const MoeRow& first = groups[g].front();
    const GemmDevice& device = fits[g].model.device;
    FidelityRows line;
    for (const HeldMoe& h : fits[g].held) {
      const MoeShape& s = groups[g][h.row].shape;
      line.add(groups[g][h.row].us, h.us, fits[g].model.band.at(std::log2(h.us)),
               plain_roofline_us(moe_flops(s), moe_bytes(s), device.flops, device.bandwidth),
               derated_roofline_us(moe_flops(s), moe_bytes(s), device.flops, device.bandwidth));
    }
    lines.push_back(
        line.line("moe", first.gpu, first.kernel + " " + first.dtype + " " + to_string(first.shape.routing)));
  }
  return lines;
}

}  // namespace tpsim
