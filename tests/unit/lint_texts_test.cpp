// What diagnostics say: each names the module that is at fault, with its values.
#include <algorithm>

#include "core/analyze.h"
#include "core/diagnostic_catalogue.h"
#include "core/repair.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

constexpr Dialect k5_15{5, 15, 0};
using Rules = std::vector<std::pair<std::string, std::string>>;

Analysis analysis(const Model& model, const Rules& rules, int tp = 2, const Dialect& dialect = k5_15,
                  bool repairs = false) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.batch = 2;
  request.workload.tokens = 12;
  if (!rules.empty()) request.plan.kind = PlanKind::manual;
  for (const auto& [key, strategy] : rules) request.plan.plan.rules.push_back({key, strategy, {}, {}});
  auto result = analyze(model, request);
  REQUIRE(result);
  if (repairs) attach_repairs(model, request, *result);
  return std::move(*result);
}

Model tiny(const std::string& type = "llama", const Dialect& dialect = k5_15) { return tiny_model(type, "", dialect); }

std::string first(const Analysis& a) {
  REQUIRE_FALSE(a.diagnostics.empty());
  return a.diagnostics.front().code + " " + a.diagnostics.front().where + ": " + a.diagnostics.front().message;
}

bool has(const Analysis& a, const std::string& code) {
  return std::any_of(a.diagnostics.begin(), a.diagnostics.end(), [&](const Diagnostic& d) { return d.code == code; });
}

const std::string kAttention = "model.layers.*.self_attn.", kMlp = "model.layers.*.mlp.";

}  // namespace

TEST_CASE("texts: a partner that is not split", "[lint]") {
  const Analysis a = analysis(tiny(), {{kMlp + "gate_proj", "colwise"}, {kMlp + "down_proj", "rowwise"}});
  CHECK(first(a) ==
        "TP108 model.layers.*.mlp.up_proj: up_proj is not split although gate_proj is (colwise): 128 features meet 64");
  CHECK(a.diagnostics.front().count == 2);
  CHECK(a.diagnostics.front().effect_bytes == 2 * 128 * 64 * 2 / 2);
}

TEST_CASE("texts: a consumer without its rule, and one without its input", "[lint]") {
  CHECK(first(analysis(tiny(), {{kAttention + "q_proj", "colwise"},
                                {kAttention + "k_proj", "colwise"},
                                {kAttention + "v_proj", "colwise"}})) ==
        "TP108 model.layers.*.self_attn.o_proj: o_proj has no rule and needs all 64 input features, but q_proj, k_proj "
        "and v_proj "
        "(colwise) leave 32 on each rank");
  CHECK(first(analysis(tiny(), {{kAttention + "o_proj", "rowwise"}})) ==
        "TP108 model.layers.*.self_attn.o_proj: o_proj (rowwise) takes 32 input features a rank, but its input is "
        "whole: q_proj, "
        "k_proj and v_proj (no rule) give all 64");
}

TEST_CASE("texts: queries and keys that do not belong together", "[lint]") {
  CHECK(first(analysis(tiny(), {{kAttention + "q_proj", "colwise"}, {kAttention + "o_proj", "rowwise"}})) ==
        "TP109 model.layers.*.self_attn.k_proj: k_proj and v_proj are not split although q_proj is (colwise): each "
        "rank has 4 of 8 "
        "query heads and 4 of 4 key/value heads");
}

TEST_CASE("texts: heads that the ranks do not divide, with the sizes that work", "[lint]") {
  const Analysis a = analysis(tiny(), {}, 8, k5_15, true);
  CHECK(first(a) == "TP102 model.layers.*.self_attn.k_proj: 4 key/value heads cannot be split over 8 ranks");
  const Diagnostic& d = a.diagnostics.front();
  CHECK(d.details.front() == "k_proj and v_proj: 32 rows / 8 = 4 rows on rank 0, half of an 8-row head");
  CHECK(std::any_of(d.fixes.begin(), d.fixes.end(),
                    [](const Fix& f) { return f.title.find("--kv-replicate (each key/value head on 2 ranks") == 0; }));
}

TEST_CASE("texts: logits left split", "[lint]") {
  CHECK(first(analysis(tiny(), {{"lm_head", "colwise"}})) ==
        "TP108 lm_head: lm_head (colwise) leaves the logits split: every rank returns 64 of 128 columns");
}

TEST_CASE("texts: partial sums that nothing adds up, and sums of what is complete", "[lint]") {
  const Analysis unreduced = analysis(
      tiny(), {{kMlp + "gate_proj", "colwise"}, {kMlp + "up_proj", "colwise"}, {kMlp + "down_proj.weight", "rowwise"}});
  CHECK(first(unreduced) ==
        "TP106 model.layers.*.mlp.down_proj: nothing adds up the partial sums of down_proj: each rank holds one "
        "summand of 2");
  CHECK(unreduced.diagnostics.front().rule == "model.layers.*.mlp.down_proj.weight: rowwise");
  CHECK(first(analysis(tiny(), {{"model.layers.*.mlp", "all_reduce"}})) ==
        "TP107 model.layers.*.mlp: all_reduce on mlp sums what every rank holds complete: the result is 2 times too "
        "large");
}

TEST_CASE("texts: keys with one flaw are one problem, and come before what follows from them", "[lint]") {
  const Rules rules = {{"layers.*.mlp.gate_proj", "colwise"},
                       {"layers.*.mlp.up_proj", "colwise"},
                       {"layers.*.mlp.down_proj", "rowwise"}};
  const Analysis old = analysis(tiny(), rules);
  CHECK(first(old) ==
        "TP209 layers.*.mlp.gate_proj: 3 rules cut weights but install no hook: they lack the prefix \"model.\"");
  CHECK(old.verdict_reasons == std::vector<std::string>{"TP209", "TP106"});
  const Analysis now = analysis(tiny("llama", kNewestDialect), rules, 2, kNewestDialect);
  CHECK(first(now) ==
        "TP201 layers.*.mlp.gate_proj: 3 rules name no module or parameter of LlamaForCausalLM: they lack the prefix "
        "\"model.\"");
  CHECK(now.diagnostics.size() == 1);
}

TEST_CASE("texts: a misspelt key comes before the mismatch that it causes", "[lint]") {
  const Analysis a = analysis(
      tiny(), {{kMlp + "gate_prj", "colwise"}, {kMlp + "up_proj", "colwise"}, {kMlp + "down_proj", "rowwise"}});
  CHECK(a.verdict_reasons == std::vector<std::string>{"TP201", "TP108"});
  CHECK(a.diagnostics.front().severity == Severity::error);
}

TEST_CASE("texts: a key that takes other rules' weights", "[lint]") {
  const Analysis a = analysis(tiny("qwen3_moe"), {{kMlp + "experts", "moe_tp_experts"},
                                                  {kMlp + "experts.gate_up_proj", "packed_colwise"},
                                                  {kMlp + "experts.down_proj", "rowwise"}});
  CHECK(a.verdict_reasons == std::vector<std::string>{"TP104", "TP107"});
  CHECK(a.diagnostics.front().message ==
        "rule \"model.layers.*.mlp.experts\" (moe_tp_experts) comes first and takes the weights of "
        "gate_up_proj (packed_colwise) and down_proj (rowwise)");
}

TEST_CASE("texts: gathering and cutting again, only where nothing needs the whole", "[lint]") {
  Rules gathered;
  for (const char* name : {"q_proj", "k_proj", "v_proj"})
    gathered.push_back({kAttention + name, "colwise_gather_output"});
  gathered.push_back({kAttention + "o_proj", "rowwise_split_input"});
  CHECK(has(analysis(tiny(), gathered, 2, k5_15, true), "TP205"));
  for (const char* type : {"phi3", "glm", "olmo2"})  // fused halves, norms over the whole projection
    CHECK_FALSE(has(analysis(tiny_model(type, ", \"pad_token_id\": 0", k5_15), {}, 2, k5_15, true), "TP205"));
}

TEST_CASE("texts: partial gradients of whole weights on split activations", "[lint]") {
  const Rules rules = {{kAttention + "q_proj", "colwise"},
                       {kAttention + "k_proj", "colwise"},
                       {kAttention + "v_proj", "colwise"},
                       {kAttention + "o_proj", "rowwise"}};
  const Analysis a = analysis(tiny("qwen3"), rules);
  CHECK(a.verdict == Verdict::right);
  CHECK(has(a, "TP214"));
  CHECK_FALSE(has(analysis(tiny("qwen3"), {}), "TP214"));  // the shipped plan has the rules that sum them
}

TEST_CASE("texts: every code that comes out is explained", "[lint]") {
  for (const char* strategy : {"colwise", "rowwise", "packed_colwise", "embedding_rowwise", "sequence_parallel",
                               "moe_tp_experts", "mla_kv_a_proj", "x"})
    for (const char* module : {"self_attn.k_proj", "mlp", "mlp.down_proj", "input_layernorm", "self_attn"}) {
      const Analysis a = analysis(tiny(), {{std::string("model.layers.*.") + module, strategy}});
      for (const Diagnostic& d : a.diagnostics) {
        INFO(strategy << " on " << module << ": " << d.code << " " << d.message);
        CHECK(find_diagnostic(d.code) != nullptr);
        CHECK_FALSE(d.message.empty());
      }
    }
}

}  // namespace tpsim
