#include "sim/kernels/elementwise_fit.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "sim/fit/holdout.h"
#include "sim/fit/least_squares.h"
#include "sim/kernels/published.h"

namespace tpsim {
namespace {

constexpr double kNoise = 0.08;
constexpr int kFolds = 5;

std::vector<ElementwiseRow> rows_of(std::span<const ElementwiseRow> rows, ElementwiseOp op) {
  std::vector<ElementwiseRow> chosen;
  for (const ElementwiseRow& row : rows)
    if (row.op == op) chosen.push_back(row);
  return chosen;
}

std::vector<ElementwiseOp> ops_of(std::span<const ElementwiseRow> rows) {
  std::set<ElementwiseOp> ops;
  for (const ElementwiseRow& row : rows) ops.insert(row.op);
  return {ops.begin(), ops.end()};
}

// By width; by the power of two of the rows where there is one width only.
std::vector<int> folds_of(std::span<const ElementwiseRow> rows) {
  std::vector<double> widths, counts;
  for (const ElementwiseRow& row : rows) {
    widths.push_back(row.shape.width);
    counts.push_back(std::floor(std::log2(row.shape.rows)));
  }
  return spread_folds(std::set<double>(widths.begin(), widths.end()).size() >= 3 ? widths : counts, kFolds);
}

struct Held {
  std::size_t row = 0;
  double us = 0;
};

std::vector<Held> held_out(std::span<const ElementwiseRow> rows, const ElementwiseModel& prior) {
  const std::vector<int> fold_of = folds_of(rows);
  std::vector<Held> held;
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<ElementwiseRow> training;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] != fold) training.push_back(rows[i]);
    if (training.empty()) continue;
    const ElementwiseModel model = fit_elementwise(training, prior);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (fold_of[i] == fold) held.push_back({i, elementwise_time(rows[i].shape, model).us});
  }
  return held;
}

BandCurve band_of(std::span<const ElementwiseRow> rows, const std::vector<Held>& held) {
  std::vector<double> at, errors;
  for (const Held& h : held) {
    at.push_back(std::log2(h.us));
    errors.push_back(std::log(rows[h.row].us / h.us));
  }
  return fit_band(at, errors, 0.9, 40, 5);
}

}  // namespace

Result<std::vector<ElementwiseRow>> read_elementwise_rows(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "op", "tokens", "width", "time_us"}); !ok) return ok.error();
  const MeasuredColumn gpu(table, "gpu"), source(table, "source"), op(table, "op");
  const MeasuredColumn tokens(table, "tokens"), width(table, "width"), time(table, "time_us");
  std::vector<ElementwiseRow> rows;
  for (const MeasuredRow& line : table.rows) {
    const auto t = tokens.positive(line), w = width.positive(line), us = time.positive(line);
    for (const auto* number : {&t, &w, &us})
      if (!*number) return Result<double>(*number).error();
    const std::string name(op.text(line));
    const auto known = parse_elementwise_op(name);
    if (!known)
      return op.error(line, "\"" + name +
                                "\" is no elementwise operation (rmsnorm, layernorm, add, add3, silu_mul, gelu, rope, "
                                "embedding, fp8_quant)");
    const ElementwiseShape shape{*t, *w, elementwise_bytes(*known) * *t * *w, true};
    const bool whole_us = source.text(line) == "vidur";
    rows.push_back(
        {std::string(gpu.text(line)), std::string(source.text(line)), *known, shape, *us, whole_us ? 1.0 : 0.0});
  }
  return rows;
}

ElementwiseModel fit_elementwise(std::span<const ElementwiseRow> rows, const ElementwiseModel& prior) {
  std::vector<FitParameter> parameters;
  const double sigma = rows.size() < 20 ? 0.3 : 2;
  for (const ElementwiseConstantField& f : elementwise_constant_fields())
    parameters.push_back({prior.constants.*(f.member), f.low, f.high, sigma});
  const auto with = [&](std::span<const double> values) {
    ElementwiseModel model = prior;
    for (std::size_t i = 0; i < values.size(); ++i)
      model.constants.*(elementwise_constant_fields()[i].member) = values[i];
    return model;
  };
  const Residuals residuals = [&](std::span<const double> values, std::span<double> r) {
    const ElementwiseModel model = with(values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double noise = std::hypot(kNoise, 0.3 * rows[i].resolution / rows[i].us);
      r[i] = std::log(elementwise_time(rows[i].shape, model).us / rows[i].us) / noise;
    }
  };
  ElementwiseModel model = with(least_squares(parameters, rows.size(), residuals, {60, 1, 1e-5}).values);
  model.source = NumberSource::calibrated;
  model.rows = static_cast<int>(rows.size());
  return model;
}

ElementwiseCalibration fit_elementwise_calibration(std::span<const ElementwiseRow> rows, const Hardware& hardware,
                                                   const ElementwiseCalibration* donor) {
  ElementwiseCalibration calibration;
  for (ElementwiseOp op : ops_of(rows)) {
    const std::vector<ElementwiseRow> own = rows_of(rows, op);
    const ElementwiseModel prior = elementwise_model(donor, hardware, op);
    ElementwiseModel model = fit_elementwise(own, prior);
    model.band = band_of(own, held_out(own, prior));
    model.origin = published_origin(own.front().source);
    calibration.models.push_back(std::move(model));
  }
  if (donor == nullptr) return calibration;
  const std::vector<ElementwiseOp> measured = ops_of(rows);
  for (const ElementwiseModel& model : donor->models)
    if (std::find(measured.begin(), measured.end(), model.op) == measured.end()) {
      calibration.models.push_back(elementwise_model(donor, hardware, model.op));
      calibration.models.back().source = NumberSource::transferred;
    }
  return calibration;
}

std::vector<FidelityLine> fidelity_elementwise(std::span<const ElementwiseRow> rows, const Hardware& hardware) {
  std::vector<FidelityLine> lines;
  for (ElementwiseOp op : ops_of(rows)) {
    const std::vector<ElementwiseRow> own = rows_of(rows, op);
    const double bandwidth = hardware.memory_bandwidth.value * 1e-6;
    const std::vector<Held> held = held_out(own, spec_elementwise_model(hardware, op));
    const BandCurve band = band_of(own, held);
    FidelityRows line;
    for (const Held& h : held) {
      const ElementwiseRow& row = own[h.row];
      line.add(row.us, h.us, band.at(std::log2(h.us)), plain_roofline_us(0, row.shape.bytes, 1, bandwidth),
               derated_roofline_us(0, row.shape.bytes, 1, bandwidth));
    }
    lines.push_back(line.line("elementwise", own.front().gpu, to_string(op)));
  }
  return lines;
}

}  // namespace tpsim
