// Plans executed on threads: right ones give the unsharded model's numbers, wrong ones are found out, and what was
// executed is what was analysed.
#include "exec/run_plan.h"

#include <algorithm>

#include "exec/run_input.h"
#include "exec/thread_ranks.h"
#include "tests/tiny_model.h"

namespace tpsim::exec {
namespace {

RunOutcome outcome_of(const Model& model, AnalysisRequest analysis, int generate = 0) {
  const auto weights = seeded_weights(1);
  const RunInput input = seeded_input(2, 6, model.vocab_size, 3);
  RunRequest request;
  request.model = &model;
  request.analysis = std::move(analysis);
  request.weights = weights.get();
  request.ids_shape = input.ids_shape;
  request.ids = input.ids;
  request.generate = generate;
  const auto outcome = run_plan(request, run_on_threads);
  INFO(error_text(outcome));
  REQUIRE(outcome);
  return *outcome;
}

AnalysisRequest shipped_plan(int tp, const Dialect& dialect = kNewestDialect) {
  AnalysisRequest request;
  request.parallelism.tp = tp;
  request.dialect = dialect;
  return request;
}

AnalysisRequest own_plan(int tp, const std::vector<std::pair<std::string, std::string>>& rules,
                         const Dialect& dialect) {
  AnalysisRequest request = shipped_plan(tp, dialect);
  request.plan.kind = PlanKind::manual;
  for (const auto& [key, strategy] : rules) {
    Rule& rule = request.plan.plan.rules.emplace_back();
    rule.key = key;
    rule.strategy = strategy;
  }
  return request;
}

const Dialect kPlainHooks = *parse_dialect("transformers-5.15");

// The shipped plan over two ranks, five tokens.
RunRequest shipped_request(const Model& model, const Weights& weights) {
  const RunInput input = seeded_input(1, 5, model.vocab_size, 3);
  RunRequest request;
  request.model = &model;
  request.analysis = shipped_plan(2);
  request.weights = &weights;
  request.ids_shape = input.ids_shape;
  request.ids = input.ids;
  return request;
}

}  // namespace

TEST_CASE("run: shipped plans give the unsharded numbers on 2 and 4 ranks", "[exec]") {
  const std::string type = GENERATE("llama", "gemma2", "gpt_oss", "qwen3_moe", "deepseek_v3", "cohere", "olmo2");
  const int tp = GENERATE(2, 4);
  const RunOutcome outcome = outcome_of(tiny_model(type), shipped_plan(tp));
  INFO(type << " at TP " << tp);
  CHECK(outcome.verdict == Verdict::right);
  CHECK(outcome.verdict == outcome.analysis.verdict);
  CHECK(outcome.events_as_analysed);
  CHECK_FALSE(outcome.events.empty());
  REQUIRE(outcome.sharded_vs_unsharded);
  CHECK(outcome.sharded_vs_unsharded->max_abs <= outcome.band);
  CHECK(outcome.sharded_vs_unsharded->reference_rms > 0.01);
  CHECK(outcome.layers.size() == 2);
}

TEST_CASE("run: tokens generated with sharded caches are the unsharded ones", "[exec]") {
  const std::string type = GENERATE("llama", "gemma2", "qwen3_moe", "deepseek_v3");
  const RunOutcome outcome = outcome_of(tiny_model(type), shipped_plan(2), 5);
  REQUIRE(outcome.generated.size() == 2);
  CHECK(outcome.generated.front().size() == 5);
  CHECK(outcome.generated == outcome.generated_unsharded);
}

TEST_CASE("run: experts on other ranks, reached by masks and a sum or by moving tokens", "[exec]") {
  const auto exchange = GENERATE(ExpertExchange::all_reduce, ExpertExchange::all_to_all);
  AnalysisRequest request = shipped_plan(2);
  request.parallelism.ep = 2;
  request.parallelism.exchange = exchange;
  const RunOutcome outcome = outcome_of(tiny_model("qwen3_moe"), request);
  CHECK(outcome.verdict == Verdict::right);
  CHECK(outcome.events_as_analysed);
  const auto moves = std::count_if(outcome.events.begin(), outcome.events.end(),
                                   [](const ExecutedEvent& e) { return e.op == CollectiveOp::all_to_all; });
  CHECK(moves == (exchange == ExpertExchange::all_to_all ? 6 : 0));
}

TEST_CASE("run: a product that nothing reduces is wrong, from the module on that it happens in", "[exec]") {
  const Model model = tiny_model("llama", "", kPlainHooks);
  const RunOutcome outcome = outcome_of(model, own_plan(2,
                                                        {{"model.layers.*.mlp.gate_proj", "colwise"},
                                                         {"model.layers.*.mlp.up_proj", "colwise"},
                                                         {"model.layers.*.mlp.down_proj.weight", "rowwise"}},
                                                        kPlainHooks));
  CHECK(outcome.verdict == Verdict::wrong);
  CHECK(outcome.analysis.verdict == Verdict::wrong);
  REQUIRE(outcome.first_divergent);
  CHECK(outcome.first_divergent->module.starts_with("model.layers.0"));
  CHECK(outcome.sharded_vs_unsharded->max_abs > 100 * outcome.band);
}

TEST_CASE("run: a plan that raises is not run", "[exec]") {
  const Model model = tiny_model("llama");
  const RunOutcome outcome = outcome_of(
      model, own_plan(2, {{"model.layers.*.mlp.gate_proj", "colwise"}, {"model.layers.*.no_such_module", "rowwise"}},
                      kNewestDialect));
  CHECK(outcome.verdict == Verdict::error);
  CHECK(outcome.events.empty());
  CHECK_FALSE(outcome.sharded_vs_unsharded);
}

TEST_CASE("run: rounding to bf16 is judged by its own band, doubles by theirs", "[exec]") {
  const Model model = tiny_model("llama");
  const auto weights = seeded_weights(1);
  RunRequest request = shipped_request(model, *weights);
  request.dtype = DType::bf16;
  const auto coarse = run_plan(request, run_on_threads);
  REQUIRE(coarse);
  CHECK(coarse->verdict == Verdict::right);
  CHECK(coarse->sharded_vs_unsharded->max_abs > 1e-4);
  request.dtype = DType::fp32;
  request.float64 = true;
  const auto fine = run_plan(request, run_on_threads);
  REQUIRE(fine);
  CHECK(fine->verdict == Verdict::right);
  CHECK(fine->sharded_vs_unsharded->max_abs < 1e-12);
}

TEST_CASE("run: real logits outside the band are told from those inside", "[exec]") {
  const Model model = tiny_model("llama");
  const auto weights = seeded_weights(1);
  RunRequest request = shipped_request(model, *weights);
  request.reference_logits.assign(static_cast<std::size_t>(5 * model.vocab_size), 0.0F);
  const auto off = run_plan(request, run_on_threads);
  REQUIRE(off);
  CHECK(off->verdict == Verdict::right);
  CHECK_FALSE(off->reference_inside);
  CHECK_FALSE(real_numbers_met(*off));
  CHECK(off->unsharded_vs_reference->max_abs > 100 * off->reference_band);
}

TEST_CASE("run: what cannot be executed is named", "[exec]") {
  const Model model =
      tiny_model("bailing_hybrid", R"(, "rope_parameters": {"rope_type": "unheard_of", "rope_theta": 1e4})");
  const auto weights = seeded_weights(1);
  RunRequest request;
  request.model = &model;
  request.analysis = shipped_plan(1);
  request.weights = weights.get();
  request.ids_shape = Shape{1, 2};
  request.ids = {1, 2};
  const auto outcome = run_plan(request, run_on_threads);
  REQUIRE_FALSE(outcome);
  CHECK(error_text(outcome).find("\"unheard_of\"") != std::string::npos);
}

TEST_CASE("recording: an analysis is the same with and without it", "[exec]") {
  const std::string type = GENERATE("llama", "gpt_oss", "deepseek_v3");
  const Model model = tiny_model(type);
  Recording recording;
  const auto plain = analyze(model, shipped_plan(2)), recorded = analyze(model, shipped_plan(2), &recording);
  REQUIRE(plain);
  REQUIRE(recorded);
  CHECK(plain->verdict == recorded->verdict);
  CHECK(events(*plain).size() == events(*recorded).size());
  CHECK(plain->memory.front().activations == recorded->memory.front().activations);
  CHECK(recording.steps.size() == recorded->steps.size());
}

}  // namespace tpsim::exec
