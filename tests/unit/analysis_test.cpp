#include "core/analysis.h"

#include "core/analyze.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

AnalysisRequest request(int tp, const Dialect& dialect = kNewestDialect) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.tokens = 12;
  return request;
}

Analysis analysis(const Model& model, const AnalysisRequest& request) {
  auto result = analyze(model, request);
  INFO(error_text(result));
  REQUIRE(result);
  return std::move(*result);
}

const ShardSpec& shard(const Analysis& a, const std::string& pattern) {
  for (const ShardSpec& spec : a.shards)
    if (spec.pattern == pattern) return spec;
  FAIL("no parameter " << pattern);
  return a.shards.front();
}

}  // namespace

TEST_CASE("names: every product of the indices", "[analysis]") {
  ShardSpec spec;
  spec.pattern = "layers.*.experts.*.w";
  spec.indices = {{0, 2}, {5, 6}};
  CHECK(names(spec) == std::vector<std::string>{"layers.0.experts.5.w", "layers.0.experts.6.w", "layers.2.experts.5.w",
                                                "layers.2.experts.6.w"});
}

TEST_CASE("events: full paths, layer by layer", "[analysis]") {
  std::string modules;
  for (const CollectiveEvent& event : events(analysis(tiny_model("llama"), request(2))))
    modules += std::string(to_string(event.op)) + " " + event.module + "\n";
  CHECK(modules ==
        "all_reduce model.embed_tokens\n"
        "all_reduce model.layers.0.self_attn.o_proj\nall_reduce model.layers.0.mlp.down_proj\n"
        "all_reduce model.layers.1.self_attn.o_proj\nall_reduce model.layers.1.mlp.down_proj\n"
        "all_gather lm_head\n");
}

TEST_CASE("events: backward runs from the head to the first layer", "[analysis]") {
  const auto backward = events(analysis(tiny_model("llama"), request(2)), EventList::backward);
  REQUIRE(backward.size() > 2);
  CHECK(backward.front().module == "lm_head");
  CHECK(backward.back().module.find("layers.0") != std::string::npos);
}

TEST_CASE("analyze: sizes that no mesh has are refused", "[analysis]") {
  const Model model = tiny_model("llama");
  for (const int tp : {0, -1, kMaxRanks + 1}) CHECK_FALSE(analyze(model, request(tp)));
  AnalysisRequest no_tokens = request(1);
  no_tokens.workload.tokens = 0;
  CHECK_FALSE(analyze(model, no_tokens));
  no_tokens.workload.tokens = INT64_MAX;
  CHECK_FALSE(analyze(model, no_tokens));
}

TEST_CASE("analyze: tensors beyond 64 bits are refused, large ones are not", "[analysis]") {
  const Model model = tiny_model("llama");
  AnalysisRequest vast = request(2);
  vast.workload.batch = 1 << 24;
  vast.workload.tokens = 1 << 28;
  const auto refused = analyze(model, vast);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("do not fit 64 bits") != std::string::npos);
  vast.workload.batch = 4096;
  vast.workload.tokens = 1 << 20;
  const Analysis a = analysis(model, vast);
  CHECK(a.memory.front().logits == (std::int64_t{1} << 32) * 128 * 2);
}

TEST_CASE("analyze: one rule from the plan to every rank's rows", "[analysis]") {
  const Analysis a = analysis(tiny_model("llama"), request(4));
  const ShardSpec& k = shard(a, "model.layers.*.self_attn.k_proj.weight");
  CHECK(k.count == 2);
  CHECK(k.strategy == "colwise");
  CHECK(k.placement == Placement(Shard{0}));
  CHECK(k.shape == Shape{32, 64});
  REQUIRE(k.ranks.size() == 4);
  CHECK(k.ranks[3].ranges == std::vector<Range>{{24, 32}});
  CHECK(k.ranks[3].bytes == 8 * 64 * 2);
  CHECK(a.rules[static_cast<std::size_t>(k.rule)].modules == 2);
  CHECK(a.rules[static_cast<std::size_t>(k.rule)].parameters == 2);
}

TEST_CASE("analyze: the memory of a rank is the sum of its shards", "[analysis][memory]") {
  const Analysis a = analysis(tiny_model("llama"), request(2));
  std::int64_t weights = 0, replicated = 0;
  for (const ShardSpec& spec : a.shards) {
    weights += spec.ranks[1].bytes * spec.count;
    if (spec.placement == Placement(Replicate{})) replicated += spec.bytes * spec.count;
  }
  CHECK(a.memory[1].weights == weights);
  CHECK(a.memory[1].weights_replicated == replicated);
  CHECK(total_weight_bytes(a) == 2 * a.parameter_count);
  // 2 layers, keys and values of 4 heads of 8, half of them on a rank.
  CHECK(a.memory[1].kv_cache == 12 * 2 * 2 * (4 / 2) * 8 * 2);
  CHECK(a.kv_bytes_per_token == 2 * 2 * 4 * 8 * 2);
  CHECK(a.memory[1].logits == 12 * 128 * 2);
}

TEST_CASE("heaviest_rank: where uneven shards leave most bytes", "[analysis]") {
  Analysis a;
  a.memory.resize(3);
  a.memory[1].weights = 10;
  a.memory[2].kv_cache = 11;
  CHECK(heaviest_rank(a) == 2);
  a.memory[1].communication = 2;
  CHECK(heaviest_rank(a) == 1);
}

TEST_CASE("valid_tp_sizes: those that divide the heads", "[analysis]") {
  CHECK(valid_tp_sizes(tiny_model("llama"), request(1), 8) == std::vector<int>{1, 2, 4});
}

TEST_CASE("analyze: without a rule every rank has everything and nothing moves", "[analysis]") {
  AnalysisRequest none = request(4);
  none.plan.kind = PlanKind::none;
  const Analysis a = analysis(tiny_model("llama"), none);
  CHECK(a.verdict == Verdict::right);
  CHECK(events(a).empty());
  for (const RankMemory& memory : a.memory) CHECK(memory.weights == 2 * a.parameter_count);
}

TEST_CASE("analyze: an unreduced row split is wrong, with the reason", "[analysis]") {
  AnalysisRequest bad = request(2, Dialect{5, 15, 0});
  bad.plan.kind = PlanKind::manual;
  bad.plan.plan.rules = {{"model.layers.*.mlp.gate_proj", "colwise", {}, {}},
                         {"model.layers.*.mlp.up_proj", "colwise", {}, {}},
                         {"model.layers.*.mlp.down_proj", "packed_rowwise", {}, {}}};
  const Analysis a = analysis(tiny_model("llama", "", bad.dialect), bad);
  CHECK(a.verdict == Verdict::wrong);
  CHECK(a.verdict_reasons == std::vector<std::string>{"TP105"});
}

TEST_CASE("analyze: quantised weights count linear layers at their width, the rest at the activations'",
          "[analysis][memory]") {
  AnalysisRequest request8 = request(1);
  request8.workload.weights = DType::fp8;
  const Analysis a = analysis(tiny_model("llama"), request8);
  CHECK(shard(a, "model.layers.*.mlp.up_proj.weight").dtype == DType::fp8);
  CHECK(shard(a, "model.layers.*.mlp.up_proj.weight").bytes == 128 * 64 + 4);
  CHECK(shard(a, "lm_head.weight").dtype == DType::bf16);
  CHECK(shard(a, "model.norm.weight").dtype == DType::bf16);
}

TEST_CASE("analyze: 4.57 sets what it loads as parameters, buffers too", "[analysis]") {
  const Dialect dialect{4, 57, 0};
  const Model model = tiny_model("deepseek_v3", "", dialect);
  const auto buffers = [&](int tp) {
    std::int64_t count = 0;
    for (const ShardSpec& spec : analysis(model, request(tp, dialect)).shards)
      if (spec.pattern.ends_with("e_score_correction_bias")) count += spec.count;
    return count;
  };
  CHECK(buffers(1) == 0);
  CHECK(buffers(2) == 1);
}

}  // namespace tpsim
