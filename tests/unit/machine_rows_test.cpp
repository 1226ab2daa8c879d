#include "cli/machine_rows.h"

#include "tests/catch.hpp"

using namespace tpsim;
using tpsim::cli::BetweenCalls;

TEST_CASE("fit_between_calls: finds the time per call and the share of small operations", "[calibrate][here]") {
  Stack stack;
  std::vector<BetweenCalls> passes;
  for (const auto& [kernels, small] : {std::pair{40.0, 10.0}, {40.0, 900.0}, {80.0, 300.0}})
    passes.push_back({kernels, small, 0.5 * kernels + 0.25 * small, 1000});
  cli::fit_between_calls(passes, stack);
  CHECK(stack.operation_us == Approx(0.5));
  CHECK(stack.small_factor == Approx(1.25));
}

TEST_CASE("fit_between_calls: neither goes below nothing", "[calibrate][here]") {
  Stack stack;
  cli::fit_between_calls({{10, 100, 1, 200}, {100, 10, 100, 200}}, stack);
  CHECK(stack.small_factor == 1);
  CHECK(stack.operation_us > 0);
  cli::fit_between_calls({}, stack);
  CHECK(stack.operation_us == 0);
  CHECK(stack.small_factor == 1);
}
