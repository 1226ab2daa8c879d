// Measured rows of any family against predictions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/fit/errors.h"
#include "sim/measured/e2e_time.h"
#include "sim/measured/operator_time.h"
#include "sim/measured/table.h"

namespace tpsim {

struct EvaluatedRow {
  RowFamily family = RowFamily::e2e;
  std::string gpu;
  std::string key;                            // what tells rows of one GPU apart: "bf16", "fa3 bf16", a model
  std::string metric;                         // end-to-end rows: "decode step"; else empty
  std::string grade;                          // A, B, C, or empty
  std::optional<double> measured, predicted;  // in the row's unit
  double band = 0;                            // half width in ln at 90 %
  NumberSource source = NumberSource::spec;
  std::string reason;  // why there is no prediction
  std::optional<E2eRow> e2e;
};

// Never fails for a row: what is wrong with one is its reason. Errors: a table of no known form.
class Evaluator {
public:
  Result<std::vector<EvaluatedRow>> evaluate(const MeasuredTable& table);

  // A user's calibration in place of those of every GPU.
  void use_profile(const Hardware& profile);
  E2eTimes& e2e() { return e2e_; }

private:
  EvaluatedRow evaluate_e2e(const E2eReader& reader, const MeasuredRow& row);
  E2eTimes e2e_;
  OperatorTimes operators_;
};

// Rows that belong together, with their errors.
struct EvaluationLine {
  std::string family, gpu, key, metric;
  ErrorSummary errors;
  double covered = 0;  // share of rows within their band
  std::size_t not_predicted = 0;
};
// One line for each family, GPU and key (and metric), sorted; then for all GPUs of a family and metric. Rows of grade C
// (context only: saturated queues, ambiguous set-ups) are left out.
std::vector<EvaluationLine> summarise(const std::vector<EvaluatedRow>& rows);

// Speed-up over the smallest TP size of rows that differ in nothing else.
struct SpeedUp {
  std::string gpu, model, metric;
  int from_tp = 1, to_tp = 1;
  double measured = 0, predicted = 0;
  double band = 0;  // half width in ln at 90 %
};
std::vector<SpeedUp> speed_ups(const std::vector<EvaluatedRow>& rows);

// The table with `predicted_us` (operators) or `predicted` (end-to-end) and `reason` behind its own columns; columns of
// those names are replaced.
MeasuredTable with_predictions(const MeasuredTable& table, const std::vector<EvaluatedRow>& rows);

}  // namespace tpsim
