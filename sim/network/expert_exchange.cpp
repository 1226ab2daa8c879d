#include "sim/network/expert_exchange.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/network/expert_exchange_model.h"

namespace tpsim {
namespace {

constexpr double kStandInBand = 1.5;  // of a model of another element type, as a multiple of its own

const ExchangeModel& nearest(const ExchangeShape& s, const ExchangeCalibration& calibration) {
  const ExchangeModel* best = &calibration.models.front();
  int least = 1 << 20;
  for (const ExchangeModel& m : calibration.models) {
    const int away = (m.phase == s.phase ? 0 : 1000) + std::abs(m.bits - element_bits(s.dtype));
    if (away >= least) continue;
    least = away;
    best = &m;
  }
  return *best;
}

}  // namespace

const char* to_string(ExchangePhase phase) {
  switch (phase) {
    case ExchangePhase::prepare: return "prepare";
    case ExchangePhase::dispatch: return "dispatch";
    case ExchangePhase::combine: return "combine";
  }
  return "";
}

double remote_ranks(std::int64_t topk, int ranks) {
  const double n = std::max(ranks, 1);
  return (n - 1) * (1 - std::pow(1 - 1 / n, static_cast<double>(topk)));
}

double exchange_bytes(const ExchangeShape& s) {
  const double element = s.phase == ExchangePhase::combine ? 2 : element_bits(s.dtype) / 8.0;
  return s.tokens * static_cast<double>(s.hidden) * element * remote_ranks(s.topk, s.ranks);
}

double exchange_physics_us(const ExchangeModel& m, const ExchangeShape& s) {
  double us = m.base + m.hop * std::log2(static_cast<double>(s.ranks)) + m.per_token * s.tokens;
  if (m.phase != ExchangePhase::prepare && m.wire > 0) us += exchange_bytes(s) / m.wire;
  return us;
}

Estimate exchange_time(const ExchangeShape& shape, const ExchangeCalibration& calibration) {
  Estimate e;
  if (shape.ranks <= 1 || shape.tokens <= 0 || calibration.models.empty()) return e;
  const ExchangeModel& m = nearest(shape, calibration);
  const double physics = exchange_physics_us(m, shape);
  const std::array<double, 2> at{std::log2(std::max(shape.tokens, 1.0)), std::log2(shape.ranks)};
  e.us = physics * std::exp(m.residual.at(at));
  ExchangeShape none = shape;
  none.tokens = 1;
  e.bound = physics > 2 * exchange_physics_us(m, none) ? Bound::network : Bound::latency;
  const bool own = m.bits == element_bits(shape.dtype) && m.phase == shape.phase;
  e.source = !own                    ? NumberSource::transferred
             : m.residual.inside(at) ? NumberSource::measured
                                     : NumberSource::calibrated;
  e.band = own ? m.band : m.band * kStandInBand;
  return e;
}

}  // namespace tpsim
