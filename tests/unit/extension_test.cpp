#include <algorithm>

#include "core/analyze.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

using Rules = std::vector<std::pair<std::string, std::string>>;

const Dialect kExtended{5, 15, 0, true};

Analysis analysis(const Model& model, const Rules& rules, int tp, const Dialect& dialect = kExtended,
                  StrategySet custom = {}) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 2;
  request.workload.tokens = 12;
  request.plan.kind = PlanKind::manual;
  request.custom = std::move(custom);
  for (const auto& [key, strategy] : rules) request.plan.plan.rules.push_back({key, strategy, {}, {}});
  auto result = analyze(model, request);
  REQUIRE(result);
  return std::move(*result);
}

Model tiny(const std::string& type = "llama", const std::string& more = {}) {
  return tiny_model(type, more, {5, 15, 0});
}

Rules dense_rules(const std::string& kv = "colwise") {
  const std::string layer = "model.layers.*.";
  return {{layer + "self_attn.q_proj", "colwise"}, {layer + "self_attn.k_proj", kv},
          {layer + "self_attn.v_proj", kv},        {layer + "self_attn.o_proj", "rowwise"},
          {layer + "mlp.gate_proj", "colwise"},    {layer + "mlp.up_proj", "colwise"},
          {layer + "mlp.down_proj", "rowwise"}};
}

const ShardSpec& shard(const Analysis& a, const std::string& pattern) {
  const auto found =
      std::find_if(a.shards.begin(), a.shards.end(), [&](const ShardSpec& s) { return s.pattern == pattern; });
  REQUIRE(found != a.shards.end());
  return *found;
}

std::vector<std::string> words(const std::vector<CollectiveEvent>& list) {
  std::vector<std::string> out;
  for (const CollectiveEvent& e : list)
    out.push_back(std::string(to_string(e.op)) + " " + e.module + " " + to_string(e.input_shape) + " x" +
                  std::to_string(e.group));
  return out;
}

auto starts_with(std::string start) {
  return [start = std::move(start)](const std::string& line) { return line.rfind(start, 0) == 0; };
}

std::int64_t count(const Analysis& a, CollectiveOp op) {
  const auto all = events(a);
  return std::count_if(all.begin(), all.end(), [&](const CollectiveEvent& e) { return e.op == op; });
}

std::string first_error(const Analysis& a) {
  return a.diagnostics.empty() ? "" : a.diagnostics.front().code + ": " + a.diagnostics.front().message;
}

}  // namespace

TEST_CASE("extensions: a plain dialect refuses them and names the one that has them", "[extension]") {
  for (const char* name : {"kv_replicate", "vocab_parallel_padded", "megatron_sequence_parallel", "packed_colwise_3",
                           "all_to_all_experts"}) {
    const Analysis a = analysis(tiny(), {{"model.layers.*.self_attn.k_proj", name}}, 2, {5, 15, 0});
    CHECK(a.verdict == Verdict::error);
    REQUIRE_FALSE(a.diagnostics.empty());
    CHECK(a.diagnostics.front().code == "TP210");
    CHECK(a.diagnostics.front().fixes.front().title.find("--dialect transformers-5.15+tpsim") == 0);
  }
}

TEST_CASE("extensions: the dialect's suffix is read and written", "[extension]") {
  const auto dialect = parse_dialect("transformers-5.23+tpsim");
  REQUIRE(dialect);
  CHECK(dialect->extensions);
  CHECK(to_string(*dialect) == "transformers-5.23+tpsim");
  CHECK(dialect->at_least(5, 23));
  CHECK_FALSE(parse_dialect("5.23")->extensions);
  CHECK_FALSE(parse_dialect("5.23+other"));
}

TEST_CASE("kv_replicate: ranks share key/value heads where there are more ranks than heads", "[extension]") {
  const Analysis plain = analysis(tiny(), dense_rules(), 8);
  CHECK(plain.verdict == Verdict::error);
  const Analysis a = analysis(tiny(), dense_rules("kv_replicate"), 8);
  INFO(first_error(a));
  CHECK(a.verdict == Verdict::right);
  const ShardSpec& k = shard(a, "model.layers.*.self_attn.k_proj.weight");
  for (int r = 0; r < 8; ++r) {
    const RankShard& own = k.ranks[static_cast<std::size_t>(r)];
    CHECK(own.shape == Shape{8, 64});
    CHECK(own.ranges.front().begin == r * 4 / 8 * 8);
  }
  // Both copies of a head sum the gradient of its weights.
  const auto back = words(events(a, EventList::backward));
  CHECK(std::count(back.begin(), back.end(), "all_reduce model.layers.0.self_attn.k_proj 8x64 x2") == 1);
}

TEST_CASE("kv_replicate: as colwise where heads suffice, refused where they do not fit", "[extension]") {
  const Analysis two = analysis(tiny(), dense_rules("kv_replicate"), 2);
  CHECK(two.verdict == Verdict::right);
  CHECK(words(events(two)) == words(events(analysis(tiny(), dense_rules(), 2))));
  const Analysis three = analysis(tiny(), dense_rules("kv_replicate"), 3);
  CHECK(three.verdict == Verdict::error);
  CHECK(first_error(three).find("TP102: kv_replicate: 4 key/value heads") == 0);
}

TEST_CASE("vocab_parallel_padded: rows are padded in memory, results are not", "[extension]") {
  const Rules rules = {{"model.embed_tokens", "vocab_parallel_padded"}, {"lm_head", "vocab_parallel_padded"}};
  const Model model = model_of_type("llama", R"("hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8,
      "num_key_value_heads": 4, "vocab_size": 130, "num_hidden_layers": 2, "tie_word_embeddings": false)",
                                    {5, 15, 0});
  const Analysis a = analysis(model, rules, 4);
  INFO(first_error(a));
  CHECK(a.verdict == Verdict::right);
  CHECK(a.logits_shape == Shape{2, 12, 130});
  const ShardSpec& table = shard(a, "model.embed_tokens.weight");
  CHECK(table.ranks.back().shape == Shape{33, 64});
  CHECK(table.ranks.back().ranges.front().size() == 31);
  CHECK(words(events(a)) ==
        std::vector<std::string>{"all_reduce model.embed_tokens 2x12x64 x4", "all_gather lm_head 2x12x33 x4"});
}

TEST_CASE("vocab_parallel_padded: a tied head shares the padded shards", "[extension]") {
  const Rules rules = {{"model.embed_tokens", "vocab_parallel_padded"}, {"lm_head", "vocab_parallel_padded"}};
  const Model model = model_of_type("llama", R"("hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8,
      "num_key_value_heads": 4, "vocab_size": 130, "num_hidden_layers": 2, "tie_word_embeddings": true)",
                                    {5, 15, 0});
  CHECK(analysis(model, rules, 4).verdict == Verdict::right);
}

TEST_CASE("packed_colwise_N: three equal blocks, not two", "[extension]") {
  const Model model = model_of_type("phi3", R"("hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8,
      "num_key_value_heads": 8, "vocab_size": 128, "num_hidden_layers": 2, "pad_token_id": 0)",
                                    {5, 15, 0});
  const Analysis a = analysis(
      model,
      {{"model.layers.*.self_attn.qkv_proj", "packed_colwise_3"}, {"model.layers.*.self_attn.o_proj", "rowwise"}}, 2);
  const ShardSpec& qkv = shard(a, "model.layers.*.self_attn.qkv_proj.weight");
  CHECK(qkv.ranks[1].shape == Shape{96, 64});
  CHECK(qkv.ranks[1].ranges == std::vector<Range>{{32, 64}, {96, 128}, {160, 192}});
  INFO(first_error(a));
  CHECK(a.verdict == Verdict::right);
}

TEST_CASE("packed_colwise_3: query, key and value of unequal widths are three unequal blocks", "[extension]") {
  const Model model = model_of_type("phi3", R"("hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 8,
      "num_key_value_heads": 2, "vocab_size": 128, "num_hidden_layers": 2, "pad_token_id": 0)",
                                    {5, 15, 0});
  const Analysis a = analysis(
      model,
      {{"model.layers.*.self_attn.qkv_proj", "packed_colwise_3"}, {"model.layers.*.self_attn.o_proj", "rowwise"}}, 2);
  CHECK(a.verdict != Verdict::right);
}

TEST_CASE("megatron_sequence_parallel: reduce-scatter and all-gather in place of all-reduce", "[extension]") {
  for (const Dialect& dialect : {kExtended, Dialect{5, 23, 0, true}}) {
    Rules rules = dense_rules();
    rules.push_back({"model.embed_tokens", "embedding_rowwise"});
    for (const char* norm : {"model.layers.*.input_layernorm", "model.layers.*.post_attention_layernorm", "model.norm"})
      rules.push_back({norm, "megatron_sequence_parallel"});
    const Analysis a = analysis(tiny_model("llama", "", dialect), rules, 2, dialect);
    INFO(to_string(dialect) << " " << first_error(a));
    CHECK(a.verdict == Verdict::right);
    CHECK(count(a, CollectiveOp::all_reduce) == 0);
    CHECK(count(a, CollectiveOp::reduce_scatter) == 5);  // table, two a layer
    const auto forward = words(events(a));
    CHECK(std::count(forward.begin(), forward.end(), "all_gather model.norm 2x6x64 x2") == 1);
    const auto backward = words(events(a, EventList::backward));
    // Each gather's gradient is summed once, by its reduce-scatter: two a layer and one before the head.
    CHECK(std::count_if(backward.begin(), backward.end(), starts_with("reduce_scatter")) == 5);
    CHECK(std::count_if(backward.begin(), backward.end(), starts_with("all_reduce model.layers.0.self_attn")) == 0);
    CHECK(std::count_if(backward.begin(), backward.end(), starts_with("all_reduce model.layers.0.mlp")) == 0);
  }
}

TEST_CASE("megatron_sequence_parallel: a norm alone gets no shards of the sequence", "[extension]") {
  Rules rules = dense_rules();
  rules.push_back({"model.layers.*.input_layernorm", "megatron_sequence_parallel"});
  const Analysis a = analysis(tiny(), rules, 2);
  CHECK(a.verdict == Verdict::error);
  CHECK(first_error(a).find("TP108") == 0);
}

TEST_CASE("all_to_all_experts: tokens travel in a dialect without dispatch", "[extension]") {
  const Rules rules = {{"model.layers.*.mlp.experts.gate_up_proj", "grouped_gemm"},
                       {"model.layers.*.mlp.experts.down_proj", "grouped_gemm"},
                       {"model.layers.*.mlp.experts", "all_to_all_experts"}};
  const Analysis a = analysis(tiny("qwen3_moe"), rules, 2);
  INFO(first_error(a));
  CHECK(a.verdict == Verdict::right);
  CHECK(count(a, CollectiveOp::all_to_all) == 6);  // counts, tokens out, tokens back, in two layers
  CHECK(count(a, CollectiveOp::all_reduce) == 0);
  CHECK(shard(a, "model.layers.*.mlp.experts.down_proj").ranks[0].shape[0] == 2);
}

// ---- strategies described by data
// -----------------------------------------------------------------------------------------

namespace {

StrategySet copies() {
  CustomStrategy columns;
  columns.name = "my_colwise";
  columns.weight_dim = -2;
  columns.bias_dim = -1;
  columns.backward_input = CollectiveOp::all_reduce;
  columns.output = StrategyLayout::shard_last;
  CustomStrategy rows;
  rows.name = "my_rowwise";
  rows.weight_dim = -1;
  rows.forward = CollectiveOp::all_reduce;
  rows.bias_after_reduction = true;
  rows.input = StrategyLayout::shard_last;
  return {columns, rows};
}

void compare_with_copies(const Model& model, const Rules& rules, int tp) {
  Rules own = rules;
  for (auto& [key, strategy] : own) strategy = "my_" + strategy;
  const Analysis built_in = analysis(model, rules, tp, {5, 15, 0});
  const Analysis copy = analysis(model, own, tp, {5, 15, 0}, copies());
  CHECK(copy.verdict == built_in.verdict);
  for (const EventList list : {EventList::forward, EventList::train_forward, EventList::backward})
    CHECK(words(events(copy, list)) == words(events(built_in, list)));
  REQUIRE(copy.shards.size() == built_in.shards.size());
  for (std::size_t i = 0; i < copy.shards.size(); ++i) {
    INFO(copy.shards[i].pattern);
    CHECK(copy.shards[i].placement == built_in.shards[i].placement);
    for (std::size_t r = 0; r < copy.shards[i].ranks.size(); ++r) {
      CHECK(copy.shards[i].ranks[r].shape == built_in.shards[i].ranks[r].shape);
      CHECK(copy.shards[i].ranks[r].ranges == built_in.shards[i].ranks[r].ranges);
    }
  }
  for (std::size_t r = 0; r < copy.memory.size(); ++r)
    CHECK(total_bytes(copy.memory[r]) == total_bytes(built_in.memory[r]));
}

}  // namespace

TEST_CASE("custom strategies: a copy of colwise and rowwise by data is analysed as the built-ins", "[extension]") {
  compare_with_copies(tiny(), dense_rules(), 2);
  compare_with_copies(tiny(), dense_rules(), 4);
  compare_with_copies(tiny("qwen2", R"(, "attention_bias": true)"), dense_rules(), 2);
}

TEST_CASE("custom strategies: uneven widths and plans that go wrong agree, too", "[extension]") {
  const Model uneven = model_of_type("llama", R"("hidden_size": 64, "intermediate_size": 130, "num_attention_heads": 8,
      "num_key_value_heads": 4, "vocab_size": 128, "num_hidden_layers": 2)",
                                     {5, 15, 0});
  compare_with_copies(uneven, dense_rules(), 4);
  Rules missing = dense_rules();
  missing.erase(missing.begin() + 5);
  compare_with_copies(uneven, missing, 4);
  compare_with_copies(tiny(), dense_rules(), 8);
}

}  // namespace tpsim
