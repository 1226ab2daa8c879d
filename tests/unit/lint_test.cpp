#include "core/lint.h"

#include <algorithm>

#include "core/analyze.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

constexpr Dialect k5_15{5, 15, 0};

using Rules = std::vector<std::pair<std::string, std::string>>;

Analysis analysis(const Model& model, const Dialect& dialect, const Rules& rules, int tp = 2) {
  AnalysisRequest request;
  request.dialect = dialect;
  request.parallelism.tp = tp;
  request.workload.tokens = 12;
  if (!rules.empty()) request.plan.kind = PlanKind::manual;
  for (const auto& [key, strategy] : rules) request.plan.plan.rules.push_back({key, strategy, {}, {}});
  auto result = analyze(model, request);
  REQUIRE(result);
  return std::move(*result);
}

const Diagnostic* find(const Analysis& a, const std::string& code, const std::string& where = {}) {
  const auto found = std::find_if(a.diagnostics.begin(), a.diagnostics.end(), [&](const Diagnostic& d) {
    return d.code == code && (where.empty() || d.where == where);
  });
  return found == a.diagnostics.end() ? nullptr : &*found;
}

Model tiny() { return tiny_model("llama", "", k5_15); }

// Some 130 MB of weights, of which the table and the head are most.
Model wide_vocabulary() {
  return model_of_type(
      "llama",
      R"("hidden_size": 512, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": 8,
                          "num_key_value_heads": 8, "vocab_size": 131072, "tie_word_embeddings": false)",
      k5_15);
}

}  // namespace

TEST_CASE("lint: a misspelt rule names the nearest module and the patch", "[lint]") {
  const Analysis a = analysis(tiny(), k5_15, {{"model.layers.*.mlp.gat_proj", "colwise"}});
  const Diagnostic* d = find(a, "TP201");
  REQUIRE(d != nullptr);
  CHECK(d->severity == Severity::warning);
  CHECK(d->where == "model.layers.*.mlp.gat_proj");
  REQUIRE(d->fixes.size() == 2);
  CHECK(d->fixes.front().patch == std::vector<PatchOperation>{{"remove", "model.layers.*.mlp.gat_proj", ""},
                                                              {"add", "model.layers.*.mlp.gate_proj", "colwise"}});
}

TEST_CASE("lint: a rule that hits is no TP201", "[lint]") {
  const Analysis a = analysis(tiny(), k5_15, {{"model.layers.*.mlp.gate_proj", "colwise_gather_output"}});
  CHECK(find(a, "TP201") == nullptr);
}

TEST_CASE("lint: large weights left whole, with what splitting them saves", "[lint]") {
  const Analysis a = analysis(wide_vocabulary(), k5_15, {{"model.layers.*.mlp.gate_proj", "colwise_gather_output"}}, 4);
  const Diagnostic* table = find(a, "TP202", "model.embed_tokens.weight");
  REQUIRE(table != nullptr);
  CHECK(table->effect_bytes == 131072 * 512 * 2 * 3 / 4);
  REQUIRE(table->fixes.size() == 1);
  CHECK(table->fixes.front().patch.front() == PatchOperation{"add", "model.embed_tokens", "embedding_rowwise"});
  const Diagnostic* head = find(a, "TP202", "lm_head.weight");
  REQUIRE(head != nullptr);
  CHECK(head->fixes.front().patch.front() == PatchOperation{"add", "lm_head", "colwise_gather_output"});
  CHECK(find(a, "TP202", "model.norm.weight") == nullptr);
}

TEST_CASE("lint: a rule with an old name says the new one", "[lint]") {
  const Analysis a = analysis(tiny(), k5_15, {{"lm_head", "colwise_rep"}});
  const Diagnostic* d = find(a, "TP203");
  if (d == nullptr) d = find(a, "TP101");  // where the old name is gone
  REQUIRE(d != nullptr);
  CHECK(d->where == "lm_head");
}

TEST_CASE("lint: sequence_parallel saves nothing", "[lint]") {
  const Analysis a = analysis(tiny(), k5_15, {{"model.norm", "sequence_parallel"}});
  CHECK(find(a, "TP206") != nullptr);
}

TEST_CASE("lint: uneven shards, with the surplus of the heaviest rank", "[lint]") {
  const Model model = model_of_type("llama",
                                    R"("hidden_size": 64, "intermediate_size": 130, "num_hidden_layers": 2,
                                       "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 128)");
  const Analysis a = analysis(model, kNewestDialect, {}, 4);
  const Diagnostic* d = find(a, "TP208");
  REQUIRE(d != nullptr);
  // Three weights of two layers.
  CHECK(d->effect_bytes == 3 * 2 * (33 * 64 * 2 - 130 * 64 * 2 / 4));
}

TEST_CASE("lint: 5.15 cuts weights that a rule finds inside their names, and hooks nothing", "[lint]") {
  const Analysis a = analysis(tiny(), k5_15, {{"mlp.gate_proj", "colwise"}});
  const Diagnostic* d = find(a, "TP209");
  REQUIRE(d != nullptr);
  CHECK(d->where == "mlp.gate_proj");
  CHECK(a.verdict != Verdict::right);
}

TEST_CASE("lint: the decisive diagnostic names module, rule and sizes that work", "[lint]") {
  const Analysis a = analysis(tiny_model("llama"), kNewestDialect, {}, 8);
  CHECK(a.verdict == Verdict::error);
  REQUIRE(a.diagnostics.size() >= 1);
  const Diagnostic& first = a.diagnostics.front();
  CHECK(first.severity == Severity::error);
  CHECK(first.where.find("model.layers.*.self_attn") == 0);
  CHECK(a.verdict_reasons == std::vector<std::string>{first.code});
}

TEST_CASE("lint: errors come first, then warnings, then notes", "[lint]") {
  const Analysis a = analysis(wide_vocabulary(), k5_15,
                              {{"model.nothing", "colwise"}, {"model.layers.*.self_attn.q_proj", "colwise"}}, 2);
  CHECK(std::is_sorted(a.diagnostics.begin(), a.diagnostics.end(),
                       [](const Diagnostic& x, const Diagnostic& y) { return x.severity < y.severity; }));
  CHECK(a.diagnostics.front().severity == Severity::error);
}

TEST_CASE("lint: one rank has nothing to complain about", "[lint]") {
  CHECK(analysis(wide_vocabulary(), k5_15, {{"model.nothing", "colwise"}}, 1).diagnostics.empty());
}

}  // namespace tpsim
