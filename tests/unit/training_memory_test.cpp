#include <algorithm>

#include "core/analyze.h"
#include "sim/training/training_memory.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

const Dialect kExtended{5, 23, 0, true};

Plan megatron_plan() {
  const std::string layer = "model.layers.*.";
  Plan plan;
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"})
    plan.rules.push_back({layer + name, "colwise", {}, {}});
  for (const char* name : {"self_attn.o_proj", "mlp.down_proj"})
    plan.rules.push_back({layer + name, "rowwise", {}, {}});
  for (const char* name : {"model.layers.*.input_layernorm", "model.layers.*.post_attention_layernorm", "model.norm"})
    plan.rules.push_back({name, "megatron_sequence_parallel", {}, {}});
  plan.rules.push_back({"model.embed_tokens", "embedding_rowwise", {}, {}});
  plan.rules.push_back({"lm_head", "colwise", {}, {}});
  return plan;
}

Analysis analysis(const Model& model, int tp, std::int64_t batch, std::int64_t tokens) {
  AnalysisRequest request;
  request.dialect = kExtended;
  request.parallelism.tp = tp;
  request.workload.batch = batch;
  request.workload.tokens = tokens;
  request.plan.kind = tp == 1 ? PlanKind::none : PlanKind::manual;
  request.plan.plan = megatron_plan();
  auto result = analyze(model, request);
  REQUIRE(result);
  return std::move(*result);
}

// What the layers keep, per layer.
std::int64_t kept_per_layer(const Analysis& a, const SavedTensorOptions& options) {
  const auto layer = std::find_if(a.steps.begin(), a.steps.end(), [](const Step& s) { return !s.prefix.empty(); });
  REQUIRE(layer != a.steps.end());
  return saved_bytes(a.traces[static_cast<std::size_t>(layer->trace)], a.workload, options);
}

// Llama-3 70B cut to 12 layers: the public SimuMax measurements on 8 B200 (Megatron-LM, sequence parallelism,
// distributed optimizer, micro-batch 1, sequence 4096).
Model llama_12() {
  return model_of_type("llama", R"("hidden_size": 8192, "num_hidden_layers": 12, "num_attention_heads": 64,
      "num_key_value_heads": 8, "intermediate_size": 28672, "vocab_size": 128256)",
                       kExtended);
}

double gib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

std::vector<TrainingMemory> simumax(const Model& model, int tp, int pipeline, int data_parallel) {
  TrainingSetup setup;
  setup.micro_batches = 4;
  setup.pipeline = pipeline;
  setup.data_parallel = data_parallel;
  setup.zero = ZeroStage::optimizer;
  return training_memory(analysis(model, tp, 1, 4096), setup);
}

}  // namespace

TEST_CASE("saved tensors of a GPT layer: 34 s b h, and 5 a s^2 b more without flash attention", "[training]") {
  constexpr std::int64_t s = 64, b = 2, h = 96, a = 6;
  const Model gpt = model_of_type("gpt2", R"("n_embd": 96, "n_layer": 3, "n_head": 6, "vocab_size": 128,
      "n_positions": 64)",
                                  kExtended);
  const Analysis one = analysis(gpt, 1, b, s);
  SavedTensorOptions paper;
  paper.dropout = true;
  paper.flash_attention = false;
  CHECK(kept_per_layer(one, paper) == 34 * s * b * h + 5 * a * s * s * b);
  paper.recompute = Recompute::selective;
  CHECK(kept_per_layer(one, paper) == 34 * s * b * h);
  paper.recompute = Recompute::full;
  CHECK(kept_per_layer(one, paper) == 2 * s * b * h);
}

TEST_CASE("saved tensors of a gated layer: everything but one copy of each input is divided by the ranks",
          "[training]") {
  const Model llama = llama_12();
  constexpr std::int64_t s = 4096, h = 8192, kv = 1024, f = 28672, heads = 64;
  // Inputs of two norms and their outputs, queries, keys, values, attention's output, gate, up and their product.
  constexpr std::int64_t whole = 2 * s * (4 * h + h + 2 * kv + h + 3 * f) + 4 * heads * s;
  for (int tp : {1, 2, 4, 8}) CHECK(kept_per_layer(analysis(llama, tp, 1, s), {}) == whole / tp);
  SavedTensorOptions apart;
  apart.fused_activation = false;
  CHECK(kept_per_layer(analysis(llama, 1, 1, s), apart) == whole + 2 * s * f);
}

TEST_CASE("training memory: within 0.5 % of the allocator's peaks of SimuMax, first of two stages 1.5 %",
          "[training]") {
  const Model model = llama_12();
  CHECK(gib(heaviest_stage(simumax(model, 2, 1, 4)).total()) == Approx(60.68).epsilon(0.005));
  CHECK(gib(heaviest_stage(simumax(model, 4, 1, 2)).total()) == Approx(39.07).epsilon(0.005));
  CHECK(gib(heaviest_stage(simumax(model, 8, 1, 1)).total()) == Approx(28.29).epsilon(0.005));
  const auto stages = simumax(model, 1, 2, 4);
  CHECK(gib(stages.at(0).total()) == Approx(66.55).epsilon(0.015));
  CHECK(gib(stages.at(1).total()) == Approx(62.968).epsilon(0.005));
}

TEST_CASE("training memory: states of mixed precision, and what ZeRO shares out", "[training]") {
  const Model model = tiny_model("llama", "", kExtended);
  const Analysis a = analysis(model, 1, 2, 12);
  const std::int64_t parameters = a.parameter_count;
  TrainingSetup setup;
  setup.data_parallel = 4;
  const TrainingMemory all = training_memory(a, setup).at(0);
  CHECK(all.weights == 2 * parameters);
  CHECK(all.gradients == 4 * parameters);
  CHECK(all.optimizer == 12 * parameters);
  setup.zero = ZeroStage::optimizer;
  CHECK(training_memory(a, setup).at(0).optimizer == (12 * parameters + 3) / 4);
  CHECK(training_memory(a, setup).at(0).gradients == 4 * parameters);
  setup.zero = ZeroStage::weights;
  CHECK(training_memory(a, setup).at(0).weights == (2 * parameters + 3) / 4);
}

TEST_CASE("training memory: gradients and moments in the types of the setup", "[training]") {
  const Model model = llama_12();
  const Analysis a = analysis(model, 1, 1, 128);
  TrainingSetup setup;
  const TrainingMemory wide = training_memory(a, setup).front();
  setup.gradients = DType::bf16;
  setup.optimizer = DType::bf16;
  const TrainingMemory narrow = training_memory(a, setup).front();
  CHECK(2 * narrow.gradients == wide.gradients);
  CHECK(3 * narrow.optimizer == 2 * wide.optimizer);  // 4 + 2 + 2 bytes for 4 + 4 + 4
  setup.gradients = DType::fp32;
  setup.two_gradients = true;
  CHECK(2 * training_memory(a, setup).front().gradients == 3 * wide.gradients);  // 4 + 2 bytes for 4
}

TEST_CASE("pipeline stages: layers in equal runs, the embedding first, the head last", "[training]") {
  const Analysis a = analysis(llama_12(), 1, 1, 16);
  const std::vector<int> stages = stages_of_steps(a, 4);
  REQUIRE(stages.size() == a.steps.size());
  CHECK(stages.front() == 0);
  CHECK(stages.back() == 3);
  CHECK(std::is_sorted(stages.begin(), stages.end()));
  TrainingSetup setup;
  setup.pipeline = 4;
  std::int64_t weights = 0;
  for (const TrainingMemory& m : training_memory(a, setup)) weights += m.weights;
  CHECK(weights == 2 * a.parameter_count);
}

}  // namespace tpsim
