#include "core/repair.h"

#include <algorithm>

#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

constexpr Dialect k5_15{5, 15, 0};
using Rules = std::vector<std::pair<std::string, std::string>>;
using Patch = std::vector<PatchOperation>;

AnalysisRequest request_for(const Rules& rules, int tp, const Dialect& dialect) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 2;
  request.workload.tokens = 12;
  request.plan.kind = PlanKind::manual;
  for (const auto& [key, strategy] : rules) request.plan.plan.rules.push_back({key, strategy, {}, {}});
  return request;
}

Rules good() {
  const std::string layer = "model.layers.*.";
  return {{layer + "self_attn.q_proj", "colwise"}, {layer + "self_attn.k_proj", "colwise"},
          {layer + "self_attn.v_proj", "colwise"}, {layer + "self_attn.o_proj", "rowwise"},
          {layer + "mlp.gate_proj", "colwise"},    {layer + "mlp.up_proj", "colwise"},
          {layer + "mlp.down_proj", "rowwise"}};
}

Rules without(Rules rules, const std::string& end) {
  std::erase_if(rules, [&](const auto& r) { return r.first.ends_with(end); });
  return rules;
}

Rules with(Rules rules, const std::string& end, const std::string& strategy) {
  for (auto& [key, s] : rules)
    if (key.ends_with(end)) s = strategy;
  return rules;
}

// The patch of the best repair, which must make the plan right.
Patch repaired(const Rules& rules, int tp = 2, const Dialect& dialect = k5_15, const std::string& type = "llama") {
  const Model model = tiny_model(type, "", dialect);
  AnalysisRequest request = request_for(rules, tp, dialect);
  const auto before = analyze(model, request);
  REQUIRE(before);
  CHECK(before->verdict != Verdict::right);
  const auto fix = find_repair(model, request, *before);
  if (!fix) return {};
  request.plan.plan = apply_patch(request.plan.plan, fix->patch);
  const auto after = analyze(model, request);
  REQUIRE(after);
  INFO(fix->title);
  CHECK(after->verdict == Verdict::right);
  return fix->patch;
}

}  // namespace

TEST_CASE("repair: the partner that is missing is added", "[repair]") {
  CHECK(repaired(without(good(), "up_proj")) == Patch{{"add", "model.layers.*.mlp.up_proj", "colwise"}});
  CHECK(repaired(without(good(), "o_proj")) == Patch{{"add", "model.layers.*.self_attn.o_proj", "rowwise"}});
}

TEST_CASE("repair: the strategy that is wrong is replaced by the shipped one", "[repair]") {
  CHECK(repaired(with(good(), "v_proj", "colwise_gather_output")) ==
        Patch{{"replace", "model.layers.*.self_attn.v_proj", "colwise"}});
  const Patch swapped =
      repaired(with(with(with(good(), "gate_proj", "rowwise"), "up_proj", "rowwise"), "down_proj", "colwise"));
  CHECK(swapped.size() == 3);
}

TEST_CASE("repair: a rule without the prefix is renamed with all its like", "[repair]") {
  Rules rules = good();
  for (auto& [key, strategy] : rules) key = key.substr(6);
  for (const Dialect& dialect : {k5_15, kNewestDialect}) {
    const Patch patch = repaired(rules, 2, dialect);
    CHECK(patch.size() == 14);
    CHECK(patch[1] == PatchOperation{"add", "model.layers.*.self_attn.q_proj", "colwise"});
  }
}

TEST_CASE("repair: slips in keys and names are put right", "[repair]") {
  Rules typo = good();
  typo[4].first = "model.layers.*.mlp.gate_prj";
  CHECK(repaired(typo) ==
        Patch{{"remove", "model.layers.*.mlp.gate_prj", ""}, {"add", "model.layers.*.mlp.gate_proj", "colwise"}});
  CHECK(repaired(with(good(), "down_proj", "rowise")) == Patch{{"replace", "model.layers.*.mlp.down_proj", "rowwise"}});
  Rules old = good();
  old.push_back({"lm_head", "colwise_rep"});
  CHECK(repaired(old) == Patch{{"replace", "lm_head", "colwise_gather_output"}});
}

TEST_CASE("repair: 5.15 takes the first key found in a name, so the order is changed", "[repair]") {
  const Rules rules = {{"model.layers.*.mlp.experts", "moe_tp_experts"},
                       {"model.layers.*.mlp.experts.gate_up_proj", "packed_colwise"},
                       {"model.layers.*.mlp.experts.down_proj", "rowwise"}};
  CHECK(repaired(rules, 2, k5_15, "qwen3_moe") ==
        Patch{{"remove", "model.layers.*.mlp.experts", ""}, {"add", "model.layers.*.mlp.experts", "moe_tp_experts"}});
}

TEST_CASE("repair: a plan for the config class is mended in its own keys", "[repair]") {
  const Model model = tiny_model("llama", "", {4, 57, 0});
  AnalysisRequest request =
      request_for({{"layers.*.mlp.gate_proj", "colwise"}, {"layers.*.mlp.down_proj", "rowwise"}}, 2, {4, 57, 0});
  request.plan.base_plan = true;
  const auto before = analyze(model, request);
  REQUIRE(before);
  const auto fix = find_repair(model, request, *before);
  REQUIRE(fix);
  CHECK(fix->patch == Patch{{"add", "layers.*.mlp.up_proj", "colwise"}});
}

TEST_CASE("repair: where heads do not divide, attention is gathered, and sizes that work are named", "[repair]") {
  const Model model = tiny_model("llama", "", k5_15);
  AnalysisRequest request = request_for(good(), 8, k5_15);
  auto analysis = analyze(model, request);
  REQUIRE(analysis);
  attach_repairs(model, request, *analysis);
  const Diagnostic& first = analysis->diagnostics.front();
  CHECK(first.code == "TP102");
  CHECK(
      std::any_of(first.fixes.begin(), first.fixes.end(), [](const Fix& f) { return f.title == "--tp 2 or --tp 4"; }));
  REQUIRE_FALSE(first.fixes.empty());
  CHECK(first.fixes.front().patch.size() == 4);
}

TEST_CASE("repair: a right plan needs none", "[repair]") {
  const Model model = tiny_model("llama", "", k5_15);
  const AnalysisRequest request = request_for(good(), 2, k5_15);
  auto analysis = analyze(model, request);
  REQUIRE(analysis);
  CHECK(analysis->verdict == Verdict::right);
  CHECK_FALSE(find_repair(model, request, *analysis));
}

TEST_CASE("repair: applying the first fix of the first error ends in a right plan", "[repair]") {
  const Model model = tiny_model("llama", "", k5_15);
  for (const char* end : {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"})
    for (const char* strategy : {"rowwise", "colwise", "colwise_gather_output", "rowwise_split_input", "all_reduce",
                                 "moe_tp_experts", "embedding_rowwise", "packed_colwise", "nonsense"}) {
      AnalysisRequest request = request_for(with(good(), end, strategy), 2, k5_15);
      Verdict verdict = Verdict::error;
      for (int round = 0; round < 3 && verdict != Verdict::right; ++round) {
        auto analysis = analyze(model, request);
        REQUIRE(analysis);
        verdict = analysis->verdict;
        attach_repairs(model, request, *analysis);
        for (const Diagnostic& d : analysis->diagnostics)
          if (verdict != Verdict::right && !d.fixes.empty() && !d.fixes.front().patch.empty()) {
            request.plan.plan = apply_patch(request.plan.plan, d.fixes.front().patch);
            break;
          }
      }
      INFO(end << " " << strategy);
      CHECK(verdict == Verdict::right);
    }
}

}  // namespace tpsim
