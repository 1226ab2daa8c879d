#include "core/effective_plan.h"

#include <algorithm>

#include "core/module_names.h"
#include "tests/catch.hpp"
#include "tests/unit/skeleton_model.h"

using namespace tpsim;

namespace {

using Rules = std::vector<std::pair<std::string, std::string>>;

AnalysisRequest request(const Dialect& dialect, int tp = 2, int ep = 1) {
  AnalysisRequest r;
  r.dialect = dialect;
  r.parallelism = {tp, ep, ExpertExchange::automatic};
  return r;
}

Plan plan_of(const Rules& rules) {
  Plan plan;
  plan.name = "plan.json";
  int line = 1;
  for (const auto& [key, strategy] : rules) {
    ++line;
    plan.rules.push_back({key, strategy, {"plan.json", line, 3}, {"plan.json", line, 40}});
  }
  return plan;
}

AnalysisRequest with_plan(const Dialect& dialect, const Rules& rules, bool base_plan = false) {
  AnalysisRequest r = request(dialect);
  r.plan.kind = PlanKind::manual;
  r.plan.plan = plan_of(rules);
  r.plan.base_plan = base_plan;
  return r;
}

std::vector<std::string> keys(const std::vector<ResolvedRule>& rules) {
  std::vector<std::string> names;
  for (const auto& resolved : rules) names.push_back(resolved.rule.key);
  return names;
}

const ResolvedRule* find_rule(const std::vector<ResolvedRule>& rules, std::string_view key) {
  const auto found = std::ranges::find_if(rules, [&](const auto& r) { return r.rule.key == key; });
  return found == rules.end() ? nullptr : &*found;
}

std::vector<std::string> codes(const EffectivePlan& plan) {
  std::vector<std::string> found;
  for (const auto& d : plan.refusals) found.push_back(d.code);
  return found;
}

using Codes = std::vector<std::string>;

// A mixture-of-experts layer as Transformers 5 builds it.
Model small_mixtral() {
  SkeletonBuilder builder("MixtralForCausalLM", "model");
  builder.add({"model.embed_tokens.weight", {128, 64}});
  builder.add({"model.layers.0.self_attn.q_proj.weight", {64, 64}});
  builder.add({"model.layers.0.self_attn.k_proj.weight", {64, 64}});
  builder.add({"model.layers.0.self_attn.v_proj.weight", {64, 64}});
  builder.add({"model.layers.0.self_attn.o_proj.weight", {64, 64}});
  builder.add({"model.layers.0.mlp.gate.weight", {4, 64}});
  builder.add({"model.layers.0.mlp.experts.gate_up_proj", {4, 128, 64}});
  builder.add({"model.layers.0.mlp.experts.down_proj", {4, 64, 64}});
  builder.add({"lm_head.weight", {128, 64}});
  builder.model().model_type = "mixtral";
  builder.model().experts = 4;
  return std::move(builder).take();
}

}  // namespace

TEST_CASE("effective plan: the head's rule of the class counts in some releases only", "[plan][effective]") {
  const Model model = small_llama();
  const std::vector<std::pair<Dialect, bool>> expected = {
      {{4, 47, 0}, true},  {{4, 49, 0}, true},  {{4, 50, 0}, true},  {{4, 51, 0}, false},
      {{4, 53, 3}, false}, {{4, 54, 0}, false}, {{4, 55, 4}, true},  {{4, 56, 0}, false},
      {{4, 57, 6}, false}, {{5, 0, 0}, false},  {{5, 10, 4}, false}, {{5, 13, 0}, false},
      {{5, 14, 1}, true},  {{5, 15, 1}, true},  {{5, 16, 1}, true},  {{5, 23, 0}, true}};
  for (const auto& [dialect, in_effect] : expected) {
    INFO(to_string(dialect));
    const auto plan = effective_plan(model, request(dialect));
    CHECK((find_rule(plan.rules, "lm_head") != nullptr) == in_effect);
    CHECK((find_rule(plan.ignored, "lm_head") != nullptr) != in_effect);
    CHECK(plan.refusals.empty());
  }
}

TEST_CASE("effective plan: Llama's automatic plan of 5.23 in dictionary order", "[plan][effective]") {
  const auto plan = effective_plan(small_llama(), request({5, 23, 0}));
  CHECK(keys(plan.rules) == std::vector<std::string>{"lm_head", "model.embed_tokens", "model.layers.*.self_attn.q_proj",
                                                     "model.layers.*.self_attn.k_proj",
                                                     "model.layers.*.self_attn.v_proj",
                                                     "model.layers.*.self_attn.o_proj", "model.layers.*.mlp.gate_proj",
                                                     "model.layers.*.mlp.up_proj", "model.layers.*.mlp.down_proj"});
  CHECK(plan.rules[0].origin == RuleOrigin::class_plan);
  CHECK(plan.rules[1].origin == RuleOrigin::injected);
  CHECK(plan.rules[2].origin == RuleOrigin::config_plan);
  CHECK(plan.name == "auto");
  CHECK(plan.source == "transformers 5.23.0");
}

TEST_CASE("effective plan: the embedding rule is injected when tied in 5.15 to 5.20, always from 5.21",
          "[plan][effective]") {
  const auto injected = [](const Dialect& dialect, bool tied) {
    return find_rule(effective_plan(small_llama(tied), request(dialect)).rules, "model.embed_tokens") != nullptr;
  };
  CHECK_FALSE(injected({5, 14, 1}, true));
  CHECK(injected({5, 15, 1}, true));
  CHECK_FALSE(injected({5, 15, 1}, false));
  CHECK(injected({5, 20, 0}, true));
  CHECK_FALSE(injected({5, 20, 0}, false));
  CHECK(injected({5, 21, 0}, false));
}

TEST_CASE("effective plan: a config plan's own embedding rule wins from 5.21, and loses before", "[plan][effective]") {
  const Rules rules = {{"embed_tokens", "replicate"}, {"layers.*.mlp.up_proj", "colwise"}};
  const auto later = effective_plan(small_llama(true), with_plan({5, 23, 0}, rules, true));
  CHECK(find_rule(later.rules, "model.embed_tokens")->rule.strategy == "replicate");
  const auto earlier = effective_plan(small_llama(true), with_plan({5, 16, 1}, rules, true));
  CHECK(find_rule(earlier.rules, "model.embed_tokens")->rule.strategy == "embedding_rowwise");
}

TEST_CASE("effective plan: a dictionary replaces the plan up to 5.18 and overrides rules from 5.19",
          "[plan][effective]") {
  const Rules rules = {{"model.layers.*.mlp.up_proj", "rowwise"}, {"model.norm", "sequence_parallel"}};
  for (const auto& dialect : {Dialect{5, 0, 0}, Dialect{5, 15, 1}, Dialect{5, 18, 0}}) {
    const auto plan = effective_plan(small_llama(), with_plan(dialect, rules));
    CHECK(keys(plan.rules) == std::vector<std::string>{"model.layers.*.mlp.up_proj", "model.norm"});
    CHECK(plan.ignored.empty());
  }
  const auto merged = effective_plan(small_llama(), with_plan({5, 19, 0}, rules));
  REQUIRE(merged.rules.size() == 9);
  CHECK(merged.rules[6].rule.key == "model.layers.*.mlp.up_proj");
  CHECK(merged.rules[6].rule.strategy == "rowwise");
  CHECK(merged.rules[6].origin == RuleOrigin::user);
  CHECK(merged.rules.back().rule.key == "model.norm");
  CHECK(merged.refusals.empty());
}

TEST_CASE("effective plan: an empty dictionary means something else in every release", "[plan][effective]") {
  const auto empty = [](const Dialect& dialect) { return effective_plan(small_llama(), with_plan(dialect, {})); };
  CHECK(empty({5, 10, 0}).rules.size() == 7);
  CHECK(empty({5, 15, 1}).rules.empty());
  CHECK(empty({5, 18, 0}).rules.empty());
  CHECK(empty({5, 19, 0}).rules.size() == 8);
  CHECK(empty({5, 22, 2}).rules.empty());
  CHECK(empty({5, 22, 2}).refusals.empty());
  CHECK(codes(empty({5, 23, 0})) == Codes{"TP114"});
}

TEST_CASE("effective plan: up to 4.57 a dictionary is refused, a config class's plan is not", "[plan][effective]") {
  const auto given = effective_plan(small_llama(), with_plan({4, 57, 6}, {{"model.layers.*.mlp.up_proj", "colwise"}}));
  REQUIRE(codes(given) == Codes{"TP114"});
  CHECK(given.refusals[0].message == "transformers-4.57.6 takes no dictionary as tp_plan");
  const auto config = effective_plan(small_llama(), with_plan({4, 57, 6}, {{"layers.*.mlp.up_proj", "colwise"}}, true));
  CHECK(config.refusals.empty());
  CHECK(keys(config.rules) == std::vector<std::string>{"model.layers.*.mlp.up_proj"});
}

TEST_CASE("effective plan: no plan at all", "[plan][effective]") {
  AnalysisRequest none = request({5, 23, 0});
  none.plan.kind = PlanKind::none;
  const auto plan = effective_plan(small_llama(), none);
  CHECK(plan.rules.empty());
  CHECK(plan.refusals.empty());
  Model unknown = small_llama();
  unknown.model_type = "no_such_type";
  CHECK(codes(effective_plan(unknown, request({5, 22, 0}))).empty());
  CHECK(codes(effective_plan(unknown, request({5, 23, 0}))) == Codes{"TP114"});
  CHECK(codes(effective_plan(unknown, request({4, 49, 0}))) == Codes{"TP114"});
  CHECK(codes(effective_plan(unknown, request({5, 23, 0}, 1))).empty());
}

TEST_CASE("effective plan: an unknown strategy is refused with a near name and a patch",
          "[plan][effective][diagnostic]") {
  const auto plan = effective_plan(small_llama(), with_plan({5, 23, 0}, {{"model.layers.*.mlp.up_proj", "colwize"},
                                                                         {"model.layers.*.mlp.gate_proj", "colwize"}}));
  REQUIRE(codes(plan) == Codes{"TP101"});
  const auto& d = plan.refusals[0];
  CHECK(d.message == "unknown strategy \"colwize\" for dialect transformers-5.23");
  CHECK(d.position.line == 3);
  CHECK(d.position.column == 40);
  CHECK(d.count == 2);
  CHECK(d.details[0].starts_with("did you mean \"colwise\"?"));
  REQUIRE(d.fixes.size() == 2);
  CHECK(d.fixes[0].patch == std::vector<PatchOperation>{{"replace", "model.layers.*.mlp.gate_proj", "colwise"},
                                                        {"replace", "model.layers.*.mlp.up_proj", "colwise"}});
  CHECK(d.fixes[1].patch[0] == PatchOperation{"remove", "model.layers.*.mlp.gate_proj", ""});
  CHECK_FALSE(find_rule(plan.rules, "model.layers.*.mlp.up_proj")->known_strategy);
}

TEST_CASE("effective plan: the name of another release is refused with this one's", "[plan][effective][diagnostic]") {
  const auto plan = effective_plan(small_llama(), with_plan({5, 15, 0}, {{"lm_head", "colwise_rep"}}));
  REQUIRE(codes(plan) == Codes{"TP101"});
  CHECK(plan.refusals[0].details[0] == "it is a strategy of Transformers 4.47-5.0, 5.16-5.23");
  CHECK(plan.refusals[0].fixes[0].patch[0].value == "colwise_gather_output");
  CHECK(effective_plan(small_llama(), with_plan({5, 16, 0}, {{"lm_head", "colwise_rep"}})).refusals.empty());
}

TEST_CASE("effective plan: the user's own strategies and extensions are known", "[plan][effective]") {
  auto r = with_plan({5, 15, 0, true}, {{"lm_head", "mine"}, {"model.layers.*.self_attn.k_proj", "kv_replicate"}});
  CHECK(codes(effective_plan(small_llama(), r)) == Codes{"TP101"});
  r.custom.push_back({});
  r.custom.back().name = "mine";
  CHECK(effective_plan(small_llama(), r).refusals.empty());
}

TEST_CASE("effective plan: from 5.19 a key that names nothing is refused", "[plan][effective][diagnostic]") {
  const Rules rules = {{"layers.*.mlp.up_proj", "colwise"},
                       {"model.layers.0.mlp.up_proj", "colwise"},
                       {"model.layers.*.mlp.gate_prj", "colwise"},
                       {"model.layers.*.mlp.down_proj.weight", "rowwise"},
                       {"model.layers.*", "replicate"}};
  const auto plan = effective_plan(small_llama(), with_plan({5, 22, 0}, rules));
  REQUIRE(codes(plan) == Codes{"TP201", "TP201", "TP201"});
  const auto& d = plan.refusals[0];
  CHECK(d.severity == Severity::error);
  CHECK(d.message == "rule \"layers.*.mlp.up_proj\" names no module or parameter of LlamaForCausalLM");
  CHECK(d.position.line == 2);
  CHECK(d.fixes[0].patch == std::vector<PatchOperation>{{"remove", "layers.*.mlp.up_proj", ""},
                                                        {"add", "model.layers.*.mlp.up_proj", "colwise"}});
  CHECK(plan.refusals[1].fixes[0].patch[1].key == "model.layers.*.mlp.up_proj");
  CHECK(plan.refusals[2].fixes[0].patch[1].key == "model.layers.*.mlp.gate_proj");
  CHECK(effective_plan(small_llama(), with_plan({5, 18, 0}, {rules[0]})).refusals.empty());
}

TEST_CASE("effective plan: a tied head's parameter has no name of its own", "[plan][effective]") {
  const Rules rules = {{"lm_head.weight", "colwise"}};
  CHECK(codes(effective_plan(small_llama(true), with_plan({5, 22, 0}, rules))) == Codes{"TP201"});
  CHECK(effective_plan(small_llama(false), with_plan({5, 22, 0}, rules)).refusals.empty());
}

TEST_CASE("effective plan: a key that is already in the model's plan is fine though it names nothing",
          "[plan][effective]") {
  Model model = small_mixtral();
  model.model_type = "qwen3_moe";  // its plan has dense rules, this model has no dense layer
  CHECK(effective_plan(model, with_plan({5, 22, 0}, {{"model.layers.*.mlp.up_proj", "colwise"}})).refusals.empty());
}

TEST_CASE("effective plan: a million unmatched or unknown rules end in a bounded list", "[plan][effective]") {
  Rules rules;
  for (int i = 0; i < 100000; ++i) rules.emplace_back("key" + std::to_string(i), "nothing");
  const auto plan = effective_plan(small_llama(), with_plan({5, 23, 0}, rules));
  REQUIRE(plan.refusals.size() == 101);
  CHECK(plan.refusals[99].message.ends_with("and 99900 more like it"));
  CHECK(plan.refusals[100].count == 100000);
}

TEST_CASE("effective plan: a key that is no regular expression stops 5.0 to 5.15", "[plan][effective]") {
  const Rules rules = {{"model.(layers", "colwise"}};
  CHECK(codes(effective_plan(small_llama(), with_plan({5, 15, 0}, rules))) == Codes{"TP114"});
  CHECK(codes(effective_plan(small_llama(), with_plan({5, 16, 0}, rules))).empty());
}

TEST_CASE("effective plan: the expert plan replaces the tensor plan up to 5.18", "[plan][effective][experts]") {
  const auto plan = effective_plan(small_mixtral(), request({5, 15, 0}, 2, 2));
  CHECK(keys(plan.rules) ==
        std::vector<std::string>{"model.layers.*.mlp.gate", "model.layers.*.mlp.experts.gate_up_proj",
                                 "model.layers.*.mlp.experts.down_proj", "model.layers.*.mlp.experts"});
  CHECK(plan.rules[0].origin == RuleOrigin::expert_plan);
  CHECK(plan.expert_rules.empty());
  CHECK(plan.ignored.size() == 8);
  CHECK(plan.refusals.empty());
}

TEST_CASE("effective plan: from 5.19 both apply side by side, experts belong to the expert plan",
          "[plan][effective][experts]") {
  const auto plan = effective_plan(small_mixtral(), request({5, 23, 0}, 2, 2));
  CHECK(keys(plan.rules) == std::vector<std::string>{"lm_head", "model.embed_tokens", "model.layers.*.self_attn.q_proj",
                                                     "model.layers.*.self_attn.k_proj",
                                                     "model.layers.*.self_attn.v_proj",
                                                     "model.layers.*.self_attn.o_proj"});
  CHECK(keys(plan.expert_rules) == std::vector<std::string>{"model.layers.*.mlp.experts.gate_up_proj",
                                                            "model.layers.*.mlp.experts.down_proj",
                                                            "model.layers.*.mlp.experts"});
  CHECK(plan.ignored.empty());
  CHECK(effective_plan(small_mixtral(), request({5, 23, 0}, 1, 4)).rules.empty());
}

TEST_CASE("effective plan: an expert plan without dispatch is dropped, its modules stay whole",
          "[plan][effective][experts]") {
  AnalysisRequest r = request({5, 22, 0}, 2, 2);
  r.plan.expert_plan = plan_of({{"model.layers.*.mlp.experts", "replicate"}});
  const auto plan = effective_plan(small_mixtral(), r);
  CHECK(plan.expert_rules.empty());
  CHECK(find_rule(plan.rules, "model.layers.*.mlp.experts") == nullptr);
  CHECK(find_rule(plan.rules, "model.layers.*.mlp.experts.down_proj") == nullptr);
  CHECK(plan.ignored.size() == 6);
  CHECK(plan.refusals.empty());
}

TEST_CASE("effective plan: sizes that no mesh of the release has", "[plan][effective][experts]") {
  const auto refused = [](const Dialect& dialect, int tp, int ep) {
    return codes(effective_plan(small_mixtral(), request(dialect, tp, ep)));
  };
  CHECK(refused({4, 53, 0}, 2, 2) == Codes{"TP114"});
  CHECK(refused({5, 16, 0}, 4, 2) == Codes{"TP114"});
  CHECK(refused({5, 19, 0}, 2, 4) == Codes{"TP114"});
  CHECK(refused({5, 20, 0}, 2, 4).empty());
  CHECK(refused({5, 20, 0}, 4, 2) == Codes{"TP114"});
  CHECK(refused({5, 23, 0}, 2, 3) == Codes{"TP114"});
}

TEST_CASE("effective plan: expert parallelism of a dense model", "[plan][effective][experts]") {
  const auto refused = [](const Dialect& dialect) {
    return codes(effective_plan(small_llama(), request(dialect, 2, 2)));
  };
  CHECK(refused({5, 10, 0}).empty());
  CHECK(refused({5, 13, 0}) == Codes{"TP114"});
  CHECK(refused({5, 23, 0}) == Codes{"TP114"});
  CHECK(effective_plan(small_llama(), request({5, 10, 0}, 2, 2)).rules.empty());
}

TEST_CASE("effective plan: styles that the expert plan may not hold", "[plan][effective][experts]") {
  const auto refused = [](const Dialect& dialect, int ep, const Rules& rules) {
    AnalysisRequest r = request(dialect, 2, ep);
    r.plan.expert_plan = plan_of(rules);
    return codes(effective_plan(small_mixtral(), r));
  };
  const Rules masked = {{"model.layers.*.mlp.gate", "ep_router"}, {"model.layers.*.mlp.experts", "moe_tp_experts"}};
  CHECK(refused({5, 23, 0}, 2, masked) == Codes{"TP114", "TP114", "TP101"});
  CHECK(refused({5, 22, 0}, 2, masked).empty());
  CHECK(refused({5, 22, 0}, 4, masked) == Codes{"TP114"});
  CHECK(refused({5, 22, 0}, 2, {{"model.layers.*.mlp.gate", "ep_router"}}) == Codes{"TP114"});
  CHECK(refused({5, 18, 0}, 2, masked) == Codes{"TP114"});
  CHECK(refused({5, 22, 0}, 2, {{"layers.*.mlp.gate", "replicate"}}) == Codes{"TP201"});
}

TEST_CASE("shipped plans: the newest release that is not newer than the dialect", "[plan][shipped]") {
  const auto version = [](int major, int minor) { return shipped_plans("mixtral", {major, minor, 0}).version; };
  CHECK(version(4, 50) == "4.49.0");
  CHECK(version(4, 57) == "4.57.6");
  CHECK(version(5, 12) == "5.10.4");
  CHECK(version(5, 23) == "5.23.0");
  CHECK(shipped_plans("mixtral", {4, 57, 0}).class_plan.rules.at(0).strategy == "colwise_rep");
  CHECK(shipped_plans("mixtral", {5, 1, 0}).class_plan.rules.at(0).strategy == "colwise_gather_output");
  CHECK(shipped_plans("mixtral", {5, 10, 0}).has_expert_plan == false);
  CHECK(shipped_plans("mixtral", {5, 13, 0}).expert_plan.rules.size() == 4);
  CHECK(shipped_plans("mixtral", {5, 19, 0}).expert_plan.rules.size() == 3);
}

TEST_CASE("shipped plans: a type newer than the dialect is marked", "[plan][shipped]") {
  const auto plans = shipped_plans("afmoe", {4, 57, 0});
  CHECK(plans.is_newer);
  CHECK_FALSE(plans.version.empty());
  Model model = small_llama();
  model.model_type = "afmoe";
  CHECK(effective_plan(model, request({4, 57, 0})).source.ends_with("the first release read with model type afmoe"));
}

TEST_CASE("shipped plans: a type without data has none", "[plan][shipped]") {
  const auto plans = shipped_plans("no_such_type", kNewestDialect);
  CHECK(plans.version.empty());
  CHECK(plans.config_plan.rules.empty());
  CHECK_FALSE(plans.has_config_plan);
}

TEST_CASE("module names: equal layers are listed once with their number", "[model]") {
  const auto names = module_names(small_llama());
  const auto count = [&](std::string_view pattern) {
    std::int64_t n = 0;
    for (const auto& name : names)
      if (name.pattern == pattern) n += name.count;
    return n;
  };
  CHECK(count("model.layers.*.mlp.up_proj.weight") == 2);
  CHECK(count("model.layers.*") == 2);
  CHECK(count("model.layers") == 1);
  CHECK(count("lm_head.weight") == 1);
  CHECK(count("") == 0);
  const auto tied = module_names(small_llama(true));
  CHECK(std::ranges::none_of(tied, [](const auto& name) { return name.pattern == "lm_head.weight"; }));
  CHECK(base_child(small_llama(), "embed_tokens") != nullptr);
  CHECK(base_child(small_llama(), "layers") == nullptr);
}
