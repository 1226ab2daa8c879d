#include "cli/checking.h"

#include <algorithm>

#include "cli/plan_draft.h"
#include "tests/catch.hpp"

using namespace tpsim;
using namespace tpsim::cli;

namespace {

Scenario scenario_of(const std::string& model, Plan plan = {}) {
  Options options;
  options.model = model;
  auto scenario = load_scenario(options);
  REQUIRE(scenario.has_value());
  if (!plan.rules.empty()) {
    scenario->plan.choice.kind = PlanKind::manual;
    scenario->plan.choice.plan = std::move(plan);
  }
  return std::move(*scenario);
}

Plan plan_of(std::vector<std::pair<const char*, const char*>> rules) {
  Plan plan;
  for (const auto& [key, strategy] : rules) plan.rules.push_back({key, strategy, {}, {}});
  return plan;
}

}  // namespace

TEST_CASE("scenario: defaults, and what depends on what the user gives", "[cli]") {
  const auto lengths = [](std::optional<std::int64_t> prompt, std::optional<std::int64_t> context,
                          std::optional<std::int64_t> generate) {
    Options options;
    options.model = "llama-3.1-8b";
    options.prompt = prompt;
    options.context = context;
    options.generate = generate;
    const auto s = load_scenario(options);
    return s ? std::pair(s->prompt, s->context) : std::pair<std::int64_t, std::int64_t>(0, 0);
  };
  CHECK(lengths({}, {}, {}) == std::pair<std::int64_t, std::int64_t>(2048, 4096));
  CHECK(lengths(12, {}, {}) == std::pair<std::int64_t, std::int64_t>(12, 4096));
  CHECK(lengths(8192, {}, {}) == std::pair<std::int64_t, std::int64_t>(8192, 8192));
  CHECK(lengths({}, 100, {}) == std::pair<std::int64_t, std::int64_t>(100, 100));
  CHECK(lengths(100, {}, 28) == std::pair<std::int64_t, std::int64_t>(100, 128));
  CHECK(lengths(100, 99, {}).first == 0);
}

TEST_CASE("scenario: the workload of each pass", "[cli]") {
  const Scenario s = scenario_of("llama-3.1-8b");
  CHECK(request_for(s, 4, Pass::forward).workload.all_logits);
  CHECK(!request_for(s, 4, Pass::prefill).workload.all_logits);
  const AnalysisRequest decode = request_for(s, 4, Pass::decode);
  CHECK(decode.workload.tokens == 1);
  CHECK(decode.workload.past == 4095);
  CHECK(decode.parallelism.tp == 4);
  CHECK(baseline_request(s, Pass::decode).parallelism.tp == 1);
}

TEST_CASE("check: verdicts per size, problems merged", "[cli]") {
  const auto check = check_plan(scenario_of("llama-3.1-8b"), {2, 16});
  REQUIRE(check.has_value());
  CHECK(check->verdicts[0].verdict == Verdict::right);
  CHECK(check->verdicts[1].verdict == Verdict::error);
  CHECK(check->count(Severity::error) >= 1);
  CHECK(check->problems.front().sizes == std::vector<int>{16});
}

TEST_CASE("check: repair renames in place and mends names", "[cli]") {
  Scenario s = scenario_of("llama-3.1-8b", plan_of({{"layers.*.mlp.gate_proj", "colwise"},
                                                    {"model.layers.*.mlp.up_proj", "colwize"},
                                                    {"model.layers.*.mlp.down_proj", "rowwise"}}));
  const auto repair = repair_plan(s, {2});
  REQUIRE(repair.has_value());
  CHECK_FALSE(repair->applied.empty());
  CHECK(repair->plan == plan_of({{"model.layers.*.mlp.gate_proj", "colwise"},
                                 {"model.layers.*.mlp.up_proj", "colwise"},
                                 {"model.layers.*.mlp.down_proj", "rowwise"}}));
  const auto after = check_plan(s, {2});
  REQUIRE(after.has_value());
  CHECK(after->verdicts.front().verdict == Verdict::right);
}

TEST_CASE("plan draft: the shipped plan where there is one", "[cli]") {
  const auto draft = draft_plan(scenario_of("llama-3.1-8b"), 2);
  REQUIRE(draft.has_value());
  CHECK(draft->shipped);
  CHECK(draft->plan.find("model.layers.*.self_attn.q_proj") != nullptr);
}

TEST_CASE("plan draft: what is drafted is right", "[cli]") {
  Scenario s = scenario_of("gpt2");
  const auto draft = draft_plan(s, 2);
  REQUIRE(draft.has_value());
  CHECK(!draft->shipped);
  CHECK(!draft->plan.rules.empty());
  s.plan.choice.kind = PlanKind::manual;
  s.plan.choice.plan = draft->plan;
  const auto check = check_plan(s, {2});
  REQUIRE(check.has_value());
  CHECK(check->verdicts.front().verdict == Verdict::right);
}
