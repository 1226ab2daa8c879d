// The shipped calibrations and stacks against the published rows, where those are at hand. docs/fidelity.md has the
// errors on rows that fits have not seen; here everything is judged with what is shipped.
#include <filesystem>

#include "sim/measured/evaluate.h"
#include "tests/catch.hpp"

namespace tpsim {
namespace {

const std::filesystem::path kRows = "../shared/measured";

bool rows_missing() {
  if (std::filesystem::exists(kRows / "e2e.csv")) return false;
  WARN("skipped: no " + kRows.string());
  return true;
}

std::vector<EvaluatedRow> evaluated(const char* file) {
  const auto table = read_measured((kRows / file).string());
  REQUIRE(table);
  Evaluator evaluator;
  const auto rows = evaluator.evaluate(*table);
  REQUIRE(rows);
  return *rows;
}

// The line over all GPUs.
EvaluationLine total(const std::vector<EvaluatedRow>& rows, const std::string& metric = {}) {
  for (const EvaluationLine& line : summarise(rows))
    if (line.gpu == "all" && line.metric == metric) return line;
  return {};
}

struct Limit {
  const char* file;
  double median, p90;
};

}  // namespace

TEST_CASE("fidelity: operators as they were measured", "[fidelity]") {
  if (rows_missing()) return;
  for (const Limit& limit :
       {Limit{"gemm.csv", 0.02, 0.08}, Limit{"attention_prefill.csv", 0.04, 0.12},
        Limit{"attention_decode.csv", 0.04, 0.12}, Limit{"mla.csv", 0.04, 0.12}, Limit{"moe.csv", 0.05, 0.15},
        Limit{"collective.csv", 0.02, 0.08}, Limit{"elementwise.csv", 0.06, 0.2}}) {
    const auto line = total(evaluated(limit.file));
    INFO(limit.file << ": " << line.errors.median << " / " << line.errors.p90 << ", " << line.not_predicted
                    << " rows without a prediction");
    CHECK(line.errors.median < limit.median);
    CHECK(line.errors.p90 < limit.p90);
    CHECK(line.not_predicted == 0);
  }
}

TEST_CASE("fidelity: decode steps, prefills, generation and speed-up", "[fidelity]") {
  if (rows_missing()) return;
  const auto rows = evaluated("e2e.csv");
  const auto decode = total(rows, "decode step"), prefill = total(rows, "prefill"), whole = total(rows, "generation");
  INFO("decode " << decode.errors.mape << ", prefill " << prefill.errors.mape << ", generation " << whole.errors.mape);
  CHECK(decode.errors.mape < 0.08);
  CHECK(prefill.errors.mape < 0.08);
  CHECK(whole.errors.mape < 0.115);
  CHECK(decode.covered > 0.85);
  const auto memory = total(rows, "memory");
  INFO("memory " << memory.errors.mape << ", in band " << memory.covered);
  CHECK(memory.errors.median < 0.08);
  CHECK(memory.covered > 0.85);
  std::vector<double> predicted, measured;
  for (const SpeedUp& s : speed_ups(rows)) {
    if (s.metric != "decode step") continue;
    predicted.push_back(s.predicted);
    measured.push_back(s.measured);
  }
  const ErrorSummary pairs = summarise(predicted, measured);
  INFO("speed-up " << pairs.median << ", MAPE " << pairs.mape);
  CHECK(pairs.median < 0.055);
  CHECK(pairs.mape < 0.085);
}

}  // namespace tpsim
