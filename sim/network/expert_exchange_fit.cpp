#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "sim/fit/least_squares.h"
#include "sim/kernels/published.h"
#include "sim/network/expert_exchange.h"
#include "sim/network/expert_exchange_model.h"

namespace tpsim {
namespace {

constexpr std::array kPhases = {ExchangePhase::prepare, ExchangePhase::dispatch, ExchangePhase::combine};
constexpr int kFolds = 3;
constexpr double kLeastBand = 0.04;

using Rows = std::vector<MeasuredExchange>;

ExchangeModel fit_model(ExchangePhase phase, int bits, const Rows& rows) {
  ExchangeModel m;
  m.phase = phase;
  m.bits = bits;
  const std::array<FitParameter, 4> parameters{FitParameter{10, 0.1, 1e4, 0}, FitParameter{1, 1e-3, 1e3, 30},
                                               FitParameter{0.01, 1e-6, 10, 30}, FitParameter{3e5, 1e3, 1e7, 30}};
  const auto fit = least_squares(parameters, rows.size(), [&](auto values, auto residuals) {
    m.base = values[0], m.hop = values[1], m.per_token = values[2], m.wire = values[3];
    for (std::size_t i = 0; i < rows.size(); ++i)
      residuals[i] = std::log(exchange_physics_us(m, rows[i].shape) / rows[i].us);
  });
  m.base = fit.values[0], m.hop = fit.values[1], m.per_token = fit.values[2];
  m.wire = phase == ExchangePhase::prepare ? 0 : fit.values[3];
  std::vector<GridSample> samples;
  std::vector<double> tokens, ranks;
  for (const MeasuredExchange& r : rows) {
    samples.push_back(
        {{std::log2(r.shape.tokens), std::log2(r.shape.ranks)}, std::log(r.us / exchange_physics_us(m, r.shape)), 1});
    tokens.push_back(samples.back().at[0]);
    ranks.push_back(samples.back().at[1]);
  }
  GridOptions options;
  options.smoothness = {0.02, 0};
  options.ridge = 0.005;
  m.residual = ResidualGrid::fit(
      {{"log2_tokens", knots_of(tokens, 0.9), 0, 0}, {"log2_ranks", knots_of(ranks, 0.1), 0, 0}}, samples, options);
  return m;
}

ExchangeCalibration fit_models(std::span<const MeasuredExchange> rows) {
  std::map<std::pair<int, int>, Rows> groups;  // phase, bits
  ExchangeCalibration calibration;
  for (const MeasuredExchange& r : rows) {
    if (!(r.us > 0) || r.shape.tokens < 1 || r.shape.ranks < 2) continue;
    groups[{static_cast<int>(r.shape.phase), element_bits(r.shape.dtype)}].push_back(r);
    ++calibration.rows;
    calibration.origin = published_origin(r.source) + " on " + r.gpu;
  }
  for (const auto& [key, group] : groups)
    calibration.models.push_back(fit_model(kPhases[static_cast<std::size_t>(key.first)], key.second, group));
  return calibration;
}

struct HeldOut {
  MeasuredExchange row;
  double us;
};

std::vector<HeldOut> hold_out(std::span<const MeasuredExchange> rows) {
  std::set<double> sizes;
  for (const MeasuredExchange& r : rows) sizes.insert(r.shape.tokens);
  std::vector<HeldOut> all;
  for (int fold = 0; fold < kFolds; ++fold) {
    Rows in, out;
    for (const MeasuredExchange& r : rows) {
      const auto index = std::distance(sizes.begin(), sizes.find(r.shape.tokens));
      (index % kFolds == fold ? out : in).push_back(r);
    }
    const ExchangeCalibration calibration = fit_models(in);
    if (calibration.models.empty()) continue;
    for (const MeasuredExchange& r : out) all.push_back({r, exchange_time(r.shape, calibration).us});
  }
  return all;
}

}  // namespace

ExchangeCalibration fit_exchange(std::span<const MeasuredExchange> rows) {
  ExchangeCalibration calibration = fit_models(rows);
  const auto held = hold_out(rows);
  for (ExchangeModel& m : calibration.models) {
    std::vector<double> errors;
    for (const HeldOut& h : held)
      if (h.row.shape.phase == m.phase && element_bits(h.row.shape.dtype) == m.bits && h.us > 0)
        errors.push_back(std::abs(std::log(h.row.us / h.us)));
    if (!errors.empty()) m.band = std::max(quantile(errors, 0.9), kLeastBand);
  }
  return calibration;
}

std::vector<FidelityLine> fidelity_exchange(std::span<const MeasuredExchange> rows, double bytes_per_us) {
  const ExchangeCalibration fitted = fit_exchange(rows);
  std::map<std::string, FidelityRows> by_key;
  for (const HeldOut& h : hold_out(rows)) {
    const ExchangeShape& s = h.row.shape;
    const double bytes = s.phase == ExchangePhase::prepare ? 0 : exchange_bytes(s);
    const auto model = std::find_if(fitted.models.begin(), fitted.models.end(), [&](const ExchangeModel& m) {
      return m.phase == s.phase && m.bits == element_bits(s.dtype);
    });
    by_key[h.row.gpu + "\n" + to_string(s.phase) + " " + to_string(s.dtype)].add(
        h.row.us, h.us, model == fitted.models.end() ? 0 : model->band, plain_roofline_us(0, bytes, 1, bytes_per_us),
        derated_roofline_us(0, bytes, 1, bytes_per_us));
  }
  std::vector<FidelityLine> lines;
  for (const auto& [key, line] : by_key) {
    const std::size_t cut = key.find('\n');
    lines.push_back(line.line("expert exchange", key.substr(0, cut), key.substr(cut + 1)));
  }
  return lines;
}

Result<std::vector<MeasuredExchange>> read_exchanges(const MeasuredTable& table) {
  if (auto ok = require_columns(table, {"gpu", "op", "tokens_per_rank", "hidden", "topk", "ranks"}); !ok)
    return ok.error();
  const MeasuredColumn gpu(table, "gpu"), source(table, "source"), op(table, "op"), dtype(table, "dtype", "bf16"),
      tokens(table, "tokens_per_rank"), hidden(table, "hidden"), topk(table, "topk"), ranks(table, "ranks"),
      time_us(table, "time_us");
  std::vector<MeasuredExchange> rows;
  for (const MeasuredRow& row : table.rows) {
    MeasuredExchange r;
    r.gpu = gpu.text(row);
    r.source = source.text(row);
    const auto phase =
        std::find_if(kPhases.begin(), kPhases.end(), [&](ExchangePhase p) { return op.text(row) == to_string(p); });
    if (phase == kPhases.end()) return op.error(row, "expected prepare, dispatch or combine");
    r.shape.phase = *phase;
    const auto type = parse_dtype(dtype.text(row));
    if (!type) return dtype.error(row, "\"" + std::string(dtype.text(row)) + "\" is no dtype");
    r.shape.dtype = *type;
    const auto t = tokens.positive(row), us = time_us.exists() ? time_us.positive(row) : Result<double>(0.0);
    const auto h = hidden.count(row), k = topk.count(row), n = ranks.count(row);
    if (!t) return t.error();
    if (!us) return us.error();
    for (const auto* count : {&h, &k, &n})
      if (!*count) return count->error();
    if (*n < 1 || *n > 1 << 20) return ranks.error(row, "ranks are 1 or more");
    r.shape.tokens = *t;
    r.us = *us;
    r.shape.hidden = *h;
    r.shape.topk = *k;
    r.shape.ranks = static_cast<int>(*n);
    rows.push_back(std::move(r));
  }
  return rows;
}

}  // namespace tpsim
