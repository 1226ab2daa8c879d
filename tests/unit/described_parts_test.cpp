// Parts of the description language whose meaning shows in an analysis: fused tensors on disk, biases of attention
// scores, parts that are not described, statements without gradients.
#include "core/analyze.h"
#include "core/plan.h"
#include "tests/catch.hpp"
#include "tests/error_text.h"
#include "tests/unit/toy_description.h"

namespace tpsim {
namespace {

constexpr const char* kPlan = R"({
  "model.layers.*.self_attn.q_proj": "colwise", "model.layers.*.self_attn.k_proj": "colwise",
  "model.layers.*.self_attn.v_proj": "colwise", "model.layers.*.self_attn.o_proj": "rowwise",
  "model.layers.*.mlp.gate_proj": "colwise", "model.layers.*.mlp.up_proj": "colwise",
  "model.layers.*.mlp.down_proj": "rowwise" })";

Analysis analysis_of(const std::string& description, const char* config = "{}", const char* plan = kPlan) {
  const auto model = toy::build(description, config);
  INFO(error_text(model));
  REQUIRE(model);
  AnalysisRequest request;
  request.parallelism.tp = 2;
  auto rules = read_plan(plan, "plan.json");
  REQUIRE(rules);
  request.plan.kind = PlanKind::manual;
  request.plan.plan = *std::move(rules);
  auto analysis = analyze(*model, request);
  REQUIRE(analysis);
  return *std::move(analysis);
}

std::string codes(const Analysis& analysis) {
  std::string text;
  for (const Diagnostic& d : analysis.diagnostics)
    if (d.severity == Severity::error) text += d.code + " ";
  return text;
}

std::string with_attention(const std::string& bias) {
  return toy::toy_with(
      R"j("a = attention(q, k, v, attention_mask, groups=num_attention_heads // num_key_value_heads, window=window)")j",
      R"j("bias = )j" + bias +
          R"j(", "a = attention(q, k, v, attention_mask, bias=bias, groups=num_attention_heads // num_key_value_heads)")j");
}

}  // namespace

TEST_CASE("described parts: the toy model is right under its plan", "[described_parts]") {
  CHECK(analysis_of(toy::kToy).verdict == Verdict::right);
}

TEST_CASE("described parts: tensors that loading joins are cut one by one", "[described_parts]") {
  const std::string joined = R"("checkpoint": [
    { "module": "model.layers.*.mlp.gate_proj.weight", "disk": ["model.layers.*.a", "model.layers.*.b"], "how": "concat" }],
    "tie": {)";
  const auto analysis = analysis_of(toy::toy_with("\"tie\": {", joined));
  CHECK(analysis.verdict == Verdict::wrong);  // rows of both tensors in gate_proj meet other rows of up_proj
  const char* uncut = R"({ "lm_head": "colwise_gather_output" })";
  CHECK(analysis_of(toy::toy_with("\"tie\": {", joined), "{}", uncut).verdict == Verdict::right);
}

TEST_CASE("described parts: a borrowed block computes and is cut, its parameters count once", "[described_parts]") {
  std::string shared = toy::toy_with(R"j("mlp": "MLP()")j", R"j("mlp": "MLP(borrowed=layer_idx > 0)")j");
  const std::string own = R"j("MLP": {)j";
  shared.insert(shared.find(own) + own.size(), R"j( "parameters_of_block": ["borrowed"],)j");
  const auto model = toy::build(shared, "{}"), plain = toy::build(toy::kToy, "{}");
  INFO(error_text(model));
  REQUIRE(model);
  REQUIRE(plain);
  CHECK(parameter_count(*plain) - parameter_count(*model) == 3 * 3 * 64 * 96);
  for (const NamedParameter& p : named_parameters(*model))
    CHECK((p.name.find(".mlp.") == std::string::npos || p.name.starts_with("model.layers.0.")));
  const auto analysis = analysis_of(shared);
  CHECK(analysis.verdict == Verdict::right);
  CHECK(events(analysis).size() == events(analysis_of(toy::kToy)).size());
}

TEST_CASE("described parts: a tensor that is fused on disk cannot be cut", "[described_parts]") {
  const std::string fused = R"("checkpoint": [
    { "module": "model.layers.*.mlp.gate_proj.weight", "disk": "model.layers.*.mlp.gate_up.weight", "how": "chunk", "part": 0, "parts": 2 },
    { "module": "model.layers.*.mlp.up_proj.weight", "disk": "model.layers.*.mlp.gate_up.weight", "how": "chunk", "part": 1, "parts": 2 }],
    "tie": {)";
  const auto analysis = analysis_of(toy::toy_with("\"tie\": {", fused));
  CHECK(analysis.verdict == Verdict::wrong);
  CHECK(codes(analysis).find("TP105") != std::string::npos);
  const auto whole = analysis_of(toy::toy_with("\"tie\": {", fused), "{}",
                                 R"({ "model.layers.*.self_attn.o_proj": "rowwise_split_input" })");
  CHECK(whole.verdict == Verdict::right);
}

TEST_CASE("described parts: disk names of fused tensors and of prefixes", "[described_parts]") {
  const auto model = toy::build(toy::toy_with("\"tie\": {", R"("checkpoint": [
    { "module": "model.norm.weight", "disk": "model.ends.weight", "how": "chunk", "part": 1, "parts": 2 },
    { "module": "model.layers.*.mlp.gate_proj.weight", "disk": "gates.*", "offset": -1 },
    { "module": "model.", "disk": "language_model.", "how": "prefix" }], "tie": {)"));
  REQUIRE(model);
  CHECK(checkpoint_names(*model, "model.norm.weight") == std::vector<std::string>{"model.ends.weight"});
  CHECK(checkpoint_names(*model, "model.layers.3.mlp.up_proj.weight") ==
        std::vector<std::string>{"language_model.layers.3.mlp.up_proj.weight"});
  CHECK(checkpoint_names(*model, "model.layers.3.mlp.gate_proj.weight") == std::vector<std::string>{"gates.2"});
  CHECK(checkpoint_names(*model, "lm_head.weight") == std::vector<std::string>{"lm_head.weight"});
}

TEST_CASE("described parts: a bias per head goes with the heads of the rank", "[described_parts]") {
  // One number per key of every head, from the values: they are split as the heads are.
  const std::string per_head = "unsqueeze(squeeze(slice(v, 3, 0, 1), 3), 2)";
  CHECK(analysis_of(with_attention(per_head)).verdict == Verdict::right);
  // From the whole input: every rank has the bias of all heads.
  const std::string all_heads = "unsqueeze(transpose(slice(hidden_states, 2, 0, 8), 1, 2), 2)";
  CHECK(analysis_of(with_attention(all_heads)).verdict == Verdict::error);
  CHECK(codes(analysis_of(with_attention(all_heads))) == "TP109 ");
  const std::string one_head = "unsqueeze(transpose(slice(hidden_states, 2, 0, 1), 1, 2), 2)";
  CHECK(analysis_of(with_attention(one_head)).verdict == Verdict::right);
}

TEST_CASE("described parts: heads are repeated with their partition", "[described_parts]") {
  const std::string repeated = "repeat_heads(unsqueeze(squeeze(slice(v, 3, 0, 1), 3), 2), 2)";
  const char* grouped = R"({ "num_key_value_heads": 4 })";
  CHECK(analysis_of(with_attention(repeated), grouped).verdict == Verdict::right);
  CHECK(analysis_of(with_attention("unsqueeze(squeeze(slice(v, 3, 0, 1), 3), 2)"), grouped).verdict == Verdict::error);
}

TEST_CASE("described parts: an opaque part needs whole inputs", "[described_parts]") {
  CHECK(analysis_of(with_attention("opaque('indexer', attention_mask, hidden_states)")).verdict == Verdict::right);
  const auto analysis = analysis_of(with_attention("opaque('indexer', attention_mask, q)"));
  CHECK(analysis.verdict == Verdict::wrong);
  CHECK(codes(analysis).find("TP108") != std::string::npos);
}

TEST_CASE("described parts: no backward communication without gradients", "[described_parts]") {
  const auto described = [](const char* statement) {
    return analysis_of(toy::toy_with(R"j("return x + mlp(x + h)")j", statement));
  };
  const auto with = described(R"j("h = mlp(x + h)", "return x + h")j");
  const auto without = described(R"j("no_grad: h = mlp(x + h)", "return x + h")j");
  CHECK(events(with, EventList::train_forward).size() == events(without, EventList::train_forward).size());
  // gate_proj and up_proj of four layers
  CHECK(events(with, EventList::backward).size() == events(without, EventList::backward).size() + 8);
}

TEST_CASE("described parts: layers that share a cache keep none", "[described_parts]") {
  const auto shared = toy::toy_with("window=window)", "window=window, cache='shared')");
  CHECK(analysis_of(toy::kToy).memory.front().kv_cache > 0);
  CHECK(analysis_of(shared).memory.front().kv_cache == 0);
}

}  // namespace tpsim
