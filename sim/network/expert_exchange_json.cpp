#include "sim/network/expert_exchange.h"
#include "sim/network/json_members.h"

namespace tpsim {
namespace {

constexpr std::array kPhases = {ExchangePhase::prepare, ExchangePhase::dispatch, ExchangePhase::combine};
constexpr double kBytesPerUs = 1e3;  // of GB/s
constexpr double kMostUs = 1e7, kMostRate = 1e7;

std::optional<Error> read_model(const Value& value, ExchangeModel& model) {
  JsonMembers m(value, "a phase of the exchange between experts");
  m.one_of("phase", model.phase, kPhases);
  m.count("bits", model.bits, 1, 64);
  m.number("base_us", model.base, 0, kMostUs);
  m.number("hop_us", model.hop, 0, kMostUs);
  m.number("token_us", model.per_token, 0, kMostUs);
  m.number("wire_gb_per_s", model.wire, 0, kMostRate, kBytesPerUs);
  m.number("band", model.band, 0, 5);
  if (const Value* residual = m.get("residual")) {
    auto grid = read_residual_grid(*residual);
    if (!grid)
      m.take(grid.error());
    else if (grid->axes().size() != 2)
      m.take(input_error("an exchange's residual has 2 axes"));
    else
      model.residual = std::move(*grid);
  }
  return m.error();
}

}  // namespace

Value to_value(const ExchangeCalibration& calibration) {
  ValueList models;
  for (const ExchangeModel& m : calibration.models) {
    ValueObject o{{"phase", text(to_string(m.phase))}, {"bits", Value{std::int64_t{m.bits}}}};
    add(o, "base_us", m.base);
    add(o, "hop_us", m.hop);
    add(o, "token_us", m.per_token);
    add(o, "wire_gb_per_s", m.wire / kBytesPerUs);
    if (!m.residual.empty()) o.emplace_back("residual", to_value(m.residual));
    o.emplace_back("band", rounded(m.band));
    models.push_back(Value{std::move(o)});
  }
  return Value{ValueObject{{"models", Value{std::move(models)}},
                           {"rows", Value{std::int64_t{calibration.rows}}},
                           {"origin", text(calibration.origin)}}};
}

Result<ExchangeCalibration> read_exchange_calibration(const Value& value) {
  ExchangeCalibration calibration;
  JsonMembers m(value, "\"expert_exchange\"");
  m.list("models", [&](const Value& entry) { m.take(read_model(entry, calibration.models.emplace_back())); });
  m.count("rows", calibration.rows, 0, 1 << 30);
  m.string("origin", calibration.origin);
  if (m.error()) return *m.error();
  return calibration;
}

}  // namespace tpsim
