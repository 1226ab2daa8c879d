#include "sim/network/expert_exchange.h"
#include "sim/network/json_parts.h"

namespace tpsim {
namespace {

constexpr std::array kPhases = {ExchangePhase::prepare, ExchangePhase::dispatch, ExchangePhase::combine};
constexpr double kBytesPerUs = 1e3;  // of GB/s
constexpr double kMostUs = 1e7, kMostRate = 1e7;

std::optional<Error> read_model(const Value& value, ExchangeModel& m) {
  ObjectReader r(value, "a phase of the exchange between experts");
  m.phase = named(r, "phase", kPhases);
  m.bits = whole(r, "bits", 1, 64);
  m.base = r.number("base_us", 0, kMostUs);
  m.hop = r.number("hop_us", 0, kMostUs);
  m.per_token = r.number("token_us", 0, kMostUs);
  m.wire = r.number("wire_gb_per_s", 0, kMostRate) * kBytesPerUs;
  m.band = r.number("band", 0, 5);
  m.residual = residual_in(r);
  return r.error();
}

}  // namespace

Value to_value(const ExchangeCalibration& calibration) {
  ValueList models;
  for (const ExchangeModel& m : calibration.models)
    models.push_back(Value{ValueObject{{"phase", text_value(to_string(m.phase))},
                                       {"bits", count_value(m.bits)},
                                       {"base_us", shortened(m.base)},
                                       {"hop_us", shortened(m.hop)},
                                       {"token_us", shortened(m.per_token)},
                                       {"wire_gb_per_s", shortened(m.wire / kBytesPerUs)},
                                       {"band", shortened(m.band)},
                                       {"residual", to_value(m.residual)}}});
  return Value{ValueObject{{"origin", text_value(calibration.origin)},
                           {"rows", count_value(calibration.rows)},
                           {"models", Value{std::move(models)}}}};
}

Result<ExchangeCalibration> read_exchange_calibration(const Value& value) {
  ExchangeCalibration calibration;
  ObjectReader r(value, "the exchange between experts");
  calibration.origin = r.text("origin");
  calibration.rows = whole(r, "rows", 0, 1 << 30);
  for_each_entry(r, "models",
                 [&](const Value& entry) { take(r, read_model(entry, calibration.models.emplace_back())); });
  if (r.error()) return *r.error();
  return calibration;
}

}  // namespace tpsim
