#include "cli/ordered_tasks.h"
#include "cli/rank_memory_line.h"
#include "cli/sweep_axes.h"
#include "cli/sweep_cell.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Scenario scenario_of(const char* model) {
  Options options;
  options.model = model;
  auto scenario = load_scenario(options);
  REQUIRE(scenario);
  return std::move(*scenario);
}

std::vector<Axis> axes_of(std::vector<GivenAxis> given) {
  Options options;
  options.axes = std::move(given);
  const auto axes = sweep_axes(options);
  REQUIRE(axes);
  return *axes;
}

// Every point as a report of it alone says.
void check_against_reports(const char* model, int tp) {
  INFO(model << " at TP " << tp);
  const Scenario scenario = scenario_of(model);
  SweepCell cell(scenario, tp, {40, 1500, 9000, 1000, 700});
  CHECK(cell.scales());
  for (const Lengths l : {Lengths{1, 1, 1}, Lengths{3, 700, 5000}, Lengths{40, 1500, 9000}, Lengths{17, 64, 700},
                          Lengths{2, 1400, 6000, 300, 512}, Lengths{5, 900, 1000, 1, 64}}) {
    const auto swept = cell.result(l);
    REQUIRE(swept);
    const Scenario alone = with_lengths(scenario, l);
    const auto reported = size_up(alone, tp, *measure_baseline(alone));
    REQUIRE(reported);
    CHECK(swept->verdict == reported->forward.verdict);
    CHECK(swept->memory.total == reported->memory.total);
    CHECK(swept->memory.kv_cache == reported->memory.kv_cache);
    CHECK(swept->memory.activations == reported->memory.activations);
    REQUIRE((swept->prefill && swept->decode && reported->prefill && reported->decode));
    CHECK(swept->prefill->time == reported->prefill->time.total);
    CHECK(swept->decode->time == reported->decode->time.total);
    CHECK(swept->decode->high == reported->decode->time.high);
    CHECK(swept->decode->speedup == reported->decode->speedup);
    REQUIRE(
        (swept->generation.has_value() == (l.generate > 0) && reported->generation.has_value() == (l.generate > 0)));
    if (!swept->generation) continue;
    CHECK(swept->generation->time == reported->generation->total.total);
    CHECK(swept->generation->per_token == reported->generation->per_token);
    CHECK(swept->generation->speedup == reported->generation->speedup);
  }
}

}  // namespace

TEST_CASE("sweep: rows are what a report of each point says, dense, windowed, latent and expert models", "[sweep]") {
  check_against_reports("llama-3.1-8b", 4);
  check_against_reports("google/gemma-2-9b", 2);
  check_against_reports("deepseek-ai/DeepSeek-V3", 8);
  check_against_reports("Qwen/Qwen3-30B-A3B", 2);
}

TEST_CASE("sweep axes: lists, ranges, factors and steps", "[sweep]") {
  const auto axes = axes_of({{"batch", "1,3"}, {"ctx", "1Ki..4Ki*2"}, {"prompt", "10..30+10"}, {"tp", "1..3"}});
  const SweepGrid grid(axes);
  CHECK(grid.points() == 2 * 3 * 3 * 3);
  CHECK(grid.points_per_cell() == 18);
  CHECK(grid.value("ctx", 1) == 2048);
  CHECK(grid.value("batch", 17) == 3);
  CHECK(grid.largest("prompt") == 30);
  CHECK(grid.options_of({}, 2).tp->sizes == std::vector<int>{3});
  Options bad;
  for (const GivenAxis& axis : {GivenAxis{"batch", "4..1"}, GivenAxis{"batch", "1..8*1"}, GivenAxis{"batch", ""},
                                GivenAxis{"ctx", "0"}, GivenAxis{"dtype", "bf17"}, GivenAxis{"tp", "valid"}}) {
    bad.axes = {axis};
    CHECK_FALSE(sweep_axes(bad));
  }
}

TEST_CASE("batch memory: exact between few analyses, also around a bend", "[sweep]") {
  int analysed = 0;
  const auto peak = [&](std::int64_t batch) -> Result<std::vector<RankMemory>> {
    ++analysed;
    RankMemory rank;
    rank.activations = std::max<std::int64_t>(1000 + 3 * batch, 7 * batch);  // bends at 250
    return std::vector<RankMemory>{rank};
  };
  const auto memory = RankMemoryLine::of(4096, peak);
  REQUIRE(memory);
  CHECK(analysed < 40);
  for (std::int64_t batch = 1; batch <= 4096; ++batch)
    REQUIRE(memory->at(batch).front().activations == std::max<std::int64_t>(1000 + 3 * batch, 7 * batch));
}

TEST_CASE("ordered tasks: texts come in order from several threads; the first error stops", "[sweep]") {
  std::string text;
  TaskRun run;
  run.end = 500;
  run.threads = 4;
  run.make_worker = [] {
    return [](std::int64_t task) -> Result<std::string> {
      if (task == 400) return input_error("no 400");
      return std::to_string(task) + " ";
    };
  };
  run.take = [&](std::int64_t, const std::string& one) -> Result<bool> {
    text += one;
    return true;
  };
  run.stopped = [] { return false; };
  CHECK_FALSE(run_in_order(run));
  std::string expected;
  for (int i = 0; i < 400; ++i) expected += std::to_string(i) + " ";
  CHECK(text == expected);
}
