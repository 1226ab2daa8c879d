#include "core/interpreter.h"

#include <algorithm>

#include "core/effective_plan.h"
#include "tests/catch.hpp"
#include "tests/tiny_model.h"

namespace tpsim {
namespace {

struct Run {
  Machine m;
  ForwardRun forward;

  Run(const Model& model, const AnalysisRequest& request)
      : m(request.parallelism.tp, request.dialect, request.workload) {
    const EffectivePlan plan = effective_plan(model, request);
    const PlacedModel placed = place_model(m, model, plan, request);
    forward = run_forward(m, model, placed, request);
  }

  std::vector<std::int64_t> peaks() const {
    std::vector<std::int64_t> all;
    for (const Step& step : forward.steps) all.push_back(trace(step).peak_activation_bytes);
    return all;
  }
  const Trace& trace(const Step& step) const { return forward.traces[static_cast<std::size_t>(step.trace)]; }
};

// One sequence of 10 tokens.
AnalysisRequest request(int tp = 1) {
  AnalysisRequest request;
  request.parallelism.tp = tp;
  request.workload.tokens = 10;
  return request;
}

Model with_layers(const std::string& type, int layers, const Dialect& dialect = kNewestDialect) {
  return model_of_type(type, tiny_sizes(type, layers), dialect);
}

constexpr std::int64_t kTokens = 10, kBytes = 2, kHidden = 64, kInner = 128, kHeadDim = 8;

}  // namespace

TEST_CASE("interpreter: the steps are the ends and every layer, equal layers one trace", "[interpreter]") {
  const Run run(with_layers("llama", 5), request());
  REQUIRE(run.forward.steps.size() == 7);
  CHECK(run.forward.traces.size() == 3);
  CHECK(run.forward.steps.front().prefix.empty());
  for (int i = 0; i < 5; ++i) {
    const Step& step = run.forward.steps[static_cast<std::size_t>(i) + 1];
    CHECK(step.prefix == "model.layers." + std::to_string(i));
    CHECK(step.trace == 1);
  }
  CHECK(run.forward.steps.back().prefix.empty());
}

TEST_CASE("interpreter: a rule with an index splits its layer off", "[interpreter]") {
  AnalysisRequest with_index = request(2);
  with_index.dialect = Dialect{5, 15, 0};
  with_index.plan.kind = PlanKind::manual;
  // Weights are searched for, so layer 1 alone is cut; hooks are matched exactly, so nothing reduces its sums.
  with_index.plan.plan.rules = {{"layers.1.mlp.gate_proj", "colwise", {}, {}},
                                {"layers.1.mlp.up_proj", "colwise", {}, {}},
                                {"layers.1.mlp.down_proj", "rowwise", {}, {}}};
  const Run run(with_layers("llama", 3, with_index.dialect), with_index);
  REQUIRE(run.forward.steps.size() == 5);
  CHECK(run.forward.steps[1].trace != run.forward.steps[2].trace);
  const auto peaks = run.peaks();
  CHECK(peaks[2] < peaks[1]);
}

TEST_CASE("interpreter: memory in use returns to the same after every layer", "[interpreter][memory]") {
  for (const char* type : {"llama", "gemma2", "phi", "gpt_neox", "mixtral", "deepseek_v3"}) {
    INFO(type);
    std::vector<std::int64_t> after, highest;
    for (const int n : {2, 4, 8}) {
      const Run run(with_layers(type, n), request(2));
      INFO(run.m.fault().message);
      REQUIRE_FALSE(run.m.failed());
      const auto peaks = run.peaks();
      after.push_back(run.m.live_bytes());
      highest.push_back(*std::max_element(peaks.begin() + 1, peaks.end() - 1));
    }
    CHECK(after == std::vector<std::int64_t>(3, after.front()));
    CHECK(highest == std::vector<std::int64_t>(3, highest.front()));
  }
}

TEST_CASE("interpreter: layers that differ in their window only need the same memory", "[interpreter][memory]") {
  const Run run(with_layers("gemma2", 6), request());
  const auto peaks = run.peaks();
  REQUIRE(peaks.size() == 8);
  CHECK(run.forward.steps[1].trace != run.forward.steps[2].trace);
  for (std::size_t i = 1; i + 1 < peaks.size(); ++i) CHECK(peaks[i] == peaks[1]);
}

TEST_CASE("interpreter: a Llama layer's peak is the hand count", "[interpreter][memory]") {
  const Run run(tiny_model("llama"), request());
  // What the caller keeps: the token ids and the two tables of angles.
  const std::int64_t ids = kTokens * 8, angles = 2 * kTokens * kHeadDim * kBytes;
  // While gate times up is formed: the layer's input, which its caller holds; residual, normed input; factors, product.
  const std::int64_t widest = kTokens * (3 * kHidden + 3 * kInner) * kBytes;
  CHECK(run.peaks()[1] == ids + angles + widest);
}

TEST_CASE("interpreter: split features make the peak smaller on every rank", "[interpreter][memory]") {
  const Run run(tiny_model("llama"), request(2));
  const std::int64_t ids = kTokens * 8, angles = 2 * kTokens * kHeadDim * kBytes;
  CHECK(run.peaks()[1] == ids + angles + kTokens * (3 * kHidden + 3 * kInner / 2) * kBytes);
}

TEST_CASE("interpreter: the head's segment ends with the logits", "[interpreter][memory]") {
  AnalysisRequest last_only = request();
  last_only.workload.all_logits = false;
  const Run all(tiny_model("llama"), request()), last(tiny_model("llama"), last_only);
  CHECK(all.forward.output.tensor.ideal == Shape{1, 10, 128});
  CHECK(last.forward.output.tensor.ideal == Shape{1, 1, 128});
  CHECK(all.peaks().back() == kTokens * (kHidden + 128) * kBytes);  // normed input and logits
  CHECK(last.peaks().back() < all.peaks().back());
}

TEST_CASE("interpreter: a layer's operations, with their places", "[interpreter]") {
  const Run run(tiny_model("llama"), request());
  std::string places;
  for (const Operation& op : run.forward.traces[1].operations)
    if (op.kind == OperationKind::gemm) places += op.module + " ";
  CHECK(places ==
        "self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.o_proj mlp.gate_proj mlp.up_proj mlp.down_proj ");
}

TEST_CASE("interpreter: forward_after counts the operations before each collective", "[interpreter]") {
  const Run run(tiny_model("llama"), request(2));
  const Trace& layer = run.forward.traces[1];
  REQUIRE(layer.forward.size() == 2);
  REQUIRE(layer.forward_after.size() == 2);
  CHECK(layer.operations[static_cast<std::size_t>(layer.forward_after[0]) - 1].module == "self_attn.o_proj");
  CHECK(layer.operations[static_cast<std::size_t>(layer.forward_after[1]) - 1].module == "mlp.down_proj");
}

TEST_CASE("interpreter: the graph of a layer leads from its input to its output", "[interpreter][layer_graph]") {
  const Run run(tiny_model("llama"), request(2));
  const LayerGraph& graph = run.forward.traces[1].graph;
  const auto order = topological_order(graph);
  CHECK(order.size() == graph.nodes.size());
  CHECK(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const auto& n) { return n.name == "all_reduce"; }) ==
        2);
  CHECK(std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const auto& n) { return n.name == "input"; }) == 1);
  const auto partial =
      std::count_if(graph.edges.begin(), graph.edges.end(), [](const auto& e) { return e.layout == "Partial(sum)"; });
  CHECK(partial == 2);
}

TEST_CASE("interpreter: stops where torch would, with the module's path", "[interpreter]") {
  AnalysisRequest three = request(3);
  const Run run(tiny_model("llama"), three);
  REQUIRE(run.m.failed());
  CHECK(run.m.fault().module.find("self_attn") != std::string::npos);
}

TEST_CASE("interpreter: a decode step sees the cache", "[interpreter]") {
  AnalysisRequest decode = request();
  decode.workload.tokens = 1;
  decode.workload.past = 99;
  const Run run(tiny_model("llama"), decode);
  const auto& operations = run.forward.traces[1].operations;
  const auto attention = std::find_if(operations.begin(), operations.end(),
                                      [](const auto& op) { return op.kind == OperationKind::attention; });
  REQUIRE(attention != operations.end());
  CHECK(attention->query_tokens == 1);
  CHECK(attention->context == 100);
  CHECK(run.forward.traces[1].cache_bytes == 100 * 2 * 4 * kHeadDim * kBytes);
}

}  // namespace tpsim
