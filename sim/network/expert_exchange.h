// Tokens of a mixture of experts on their way to the experts' ranks and back.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "sim/estimate.h"
#include "sim/fit/errors.h"
#include "sim/fit/residual_grid.h"
#include "sim/measured/table.h"

namespace tpsim {

// prepare: who sends how much to whom; dispatch: tokens to the ranks of their experts; combine: results back, added.
enum class ExchangePhase { prepare, dispatch, combine };
const char* to_string(ExchangePhase phase);

struct ExchangeShape {
  ExchangePhase phase = ExchangePhase::dispatch;
  double tokens = 0;  // of each rank
  std::int64_t hidden = 0;
  std::int64_t topk = 1;
  int ranks = 1;
  DType dtype = DType::bf16;  // of the tokens sent; combine brings results back as bf16
  bool operator==(const ExchangeShape&) const = default;
};

// Ranks that a token goes to, its own left out: topk experts spread evenly at random.
double remote_ranks(std::int64_t topk, int ranks);

// base + hop * log2(ranks) + tokens * per_token + bytes / wire, in us and bytes per us.
struct ExchangeModel {
  ExchangePhase phase = ExchangePhase::dispatch;
  int bits = 16;  // of an element on its way to the experts
  double base = 0, hop = 0, per_token = 0, wire = 0;
  ResidualGrid residual;  // over log2(tokens), log2(ranks)
  double band = 0.3;
  bool operator==(const ExchangeModel&) const = default;
};

struct ExchangeCalibration {
  std::vector<ExchangeModel> models;  // none = not measured
  std::string origin;
  int rows = 0;
  bool operator==(const ExchangeCalibration&) const = default;
};

// No time for one rank or no tokens. The calibration has models.
Estimate exchange_time(const ExchangeShape& shape, const ExchangeCalibration& calibration);

struct MeasuredExchange {
  std::string gpu, source;
  ExchangeShape shape;
  double us = 0;
};
// Rows of the form of moe_alltoall.csv.
Result<std::vector<MeasuredExchange>> read_exchanges(const MeasuredTable& table);
ExchangeCalibration fit_exchange(std::span<const MeasuredExchange> rows);

// On every third token count left out in turn, beside bytes at `bytes_per_us`.
std::vector<FidelityLine> fidelity_exchange(std::span<const MeasuredExchange> rows, double bytes_per_us);

Value to_value(const ExchangeCalibration& calibration);
Result<ExchangeCalibration> read_exchange_calibration(const Value& value);

}  // namespace tpsim
