#include "sim/measured/stack_fit.h"

#include <cmath>

#include "sim/measured/e2e_time.h"
#include "tests/catch.hpp"

namespace tpsim {
namespace {

// A toy stack's runs: one product of `gemm_us` per pass at each TP size, on four models.
std::vector<StackRow> toy_rows(double step_us, double factor) {
  std::vector<StackRow> rows;
  for (const int tp : {1, 2, 4, 8}) {
    for (const double gemm_us : {1000.0, 3000.0, 9000.0, 27000.0}) {
      StackRow row;
      row.row.tp = tp;
      row.row.model = std::to_string(gemm_us);
      row.group = row.row.model + "|" + std::to_string(tp);
      row.parts.passes = 1;
      row.parts.us[static_cast<std::size_t>(TimePart::gemm)] = gemm_us / tp;
      row.us = step_us + factor * gemm_us / tp;
      row.band = 0.1;
      rows.push_back(row);
    }
  }
  return rows;
}

std::vector<StackFile> toy_files() {
  StackFile file;
  file.name = "toy";
  file.entries.resize(1);
  return {file};
}

E2eRow serving_row(std::int64_t batch, std::int64_t input_len) {
  E2eRow row;
  row.gpu = "H100-SXM-80GB";
  row.framework = "vLLM 0.19.0";
  row.model = "toy";
  row.dtype = "bf16";
  row.group = "inference_serving";
  row.metric = "tpot_mean";
  row.batch = batch;
  row.input_len = input_len;
  row.output_len = 64;
  row.model_params = {{"h", "1024"}, {"L", "4"},      {"a", "8"},     {"kv", "8"},
                      {"hd", "128"}, {"ffn", "4096"}, {"V", "32000"}, {"act", "swiglu"}};
  return row;
}

TEST_CASE("stacks: a fit finds the host time and the factor of its rows, unseen TP sizes included", "[stack]") {
  const auto rows = toy_rows(800, 0.96);
  const auto fitted = fit_stacks(rows, toy_files());
  CHECK(fitted[0].entries[0].stack.step_us == Approx(800).epsilon(0.1));
  CHECK(fitted[0].entries[0].stack.gemm_factor == Approx(0.96).epsilon(0.03));
  const HeldOut held = held_out(rows, toy_files(), [](const StackRow& r) { return std::to_string(r.row.tp); });
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(held.own(i) == Approx(rows[i].us).epsilon(0.06));
}

TEST_CASE("stacks: training rows give the time of a launch and of a pass", "[stack]") {
  auto rows = toy_rows(0, 1);
  for (StackRow& row : rows) {
    auto& us = row.parts.us;
    us[static_cast<std::size_t>(TimePart::wide_gemm)] = us[static_cast<std::size_t>(TimePart::gemm)];
    us[static_cast<std::size_t>(TimePart::gemm)] = 0;
    row.parts.launches = 50;
    Stack truth;
    truth.launch_us = 40;
    truth.step_us = 3000;
    truth.wide_gemm_factor = 1.2;
    row.us = stack_time(row.parts, truth);
  }
  const Stack found = fit_stacks(rows, toy_files())[0].entries[0].stack;
  CHECK(found.launch_us == Approx(40).epsilon(0.1));
  CHECK(found.wide_gemm_factor == Approx(1.2).epsilon(0.05));
  CHECK(found.step_us == Approx(3000).epsilon(0.15));
}

TEST_CASE("stacks: a row is never judged by a fit that has seen its group", "[stack]") {
  auto rows = toy_rows(800, 1);
  for (StackRow& row : rows)
    if (row.row.tp == 8) row.us *= 3;
  const HeldOut held = held_out(rows, toy_files(), [](const StackRow& r) { return std::to_string(r.row.tp); });
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i].row.tp == 8) CHECK(held.own(i) < 0.6 * rows[i].us);
}

TEST_CASE("stacks: the band holds nine of ten rows and counts the kernels' own band once", "[stack]") {
  Stack stack;
  stack.band = 0.2;
  CHECK(pass_band(0.1, stack) == Approx(std::hypot(0.1, 0.2)));
  stack.kernel_band = 0.1;
  CHECK(pass_band(0.1, stack) == Approx(0.2));
  CHECK(pass_band(0.05, stack) == Approx(0.2));
  CHECK(pass_band(0.5, stack) > 0.5);
  CHECK(ratio_band(0.2, 0.2) < std::hypot(0.2, 0.2));
}

TEST_CASE("stacks: a sequence waits for the prompts of the others, not for its own", "[stack]") {
  E2eTimes times;
  const auto alone = times.predict(serving_row(1, 512));
  const auto four = times.predict(serving_row(4, 512));
  REQUIRE(alone.has_value());
  REQUIRE(four.has_value());
  CHECK(alone->parts.prompt_passes == 0);
  CHECK(four->parts.prompt_passes == Approx(3.0 / 64));
}

TEST_CASE("stages: parts of an encoder's batch follow each other, one sequence gains nothing", "[stack]") {
  E2eTimes times;
  E2eRow row = serving_row(64, 128);
  row.metric = "forward_latency";
  const auto value = [&](int stages, std::int64_t batch) {
    row.pp = row.gpus = stages;
    row.batch = batch;
    const auto estimate = times.predict(row);
    REQUIRE(estimate.has_value());
    return estimate->value;
  };
  CHECK(value(2, 1) == Approx(value(1, 1)));
  CHECK(value(2, 512) < 0.9 * value(1, 512));
  CHECK(value(2, 512) > 0.5 * value(1, 512));
}

TEST_CASE("training rows: context-parallel ranks share out tokens and attention", "[stack]") {
  E2eRow row = serving_row(1, 32768);
  row.group = "train";
  row.metric = "step_time";
  row.framework = "torchtitan";
  row.micro_batch = 1;
  E2eTimes times;
  const auto whole = times.predict(row);
  row.cp = 2;
  const auto half = times.predict(row);
  REQUIRE(whole.has_value());
  REQUIRE(half.has_value());
  CHECK(half->value < 0.6 * whole->value);
  CHECK(half->value > 0.4 * whole->value);
}

TEST_CASE("training rows: mxfp8 is a type of products", "[stack]") {
  E2eRow row = serving_row(1, 8);
  row.dtype = "mxfp8";
  const auto precision = precision_of(row);
  REQUIRE(precision.has_value());
  CHECK(precision->linear == DType::fp8);
}

}  // namespace
}  // namespace tpsim
