#include "core/strategy_hooks.h"

#include "core/parameter_placement.h"
#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {
namespace {

constexpr Dialect k4_57{4, 57, 0}, k5_0{5, 0, 0}, k5_15{5, 15, 0};
const std::vector<Dialect> kGenerations = {k4_57, k5_15, kNewestDialect};

// A linear layer of 8 inputs and 16 outputs under one strategy, called with `x`.
struct LinearCall {
  Ranks on;
  ModuleType type;
  Hook hook;
  ModuleCall call;

  LinearCall(const Dialect& dialect, StrategyKind kind, int ranks = 2, bool bias = false) : on(ranks, dialect) {
    type.kind = ModuleKind::linear;
    type.class_name = "Linear";
    type.in_features = 8;
    type.out_features = 16;
    type.parameters.push_back({"weight", {16, 8}});
    if (bias) type.parameters.push_back({"bias", {16}});
    hook.kind = kind;
    hook.tensor_ranks = ranks;
    call.type = &type;
    call.hidden.assign(type.parameters.size(), 0);
    for (const ParameterSpec& parameter : type.parameters) {
      const ParameterToPlace what{&type, &parameter};
      call.parameters.push_back(place_parameter(on.m, what, kind).state);
    }
  }

  TensorState run(const TensorState& x) {
    call.positional.emplace_back(x);
    before_call(on.m, hook, call);
    if (!on.m.failed())
      call.output = linear(on.m, call.positional.front().tensor, *call.parameter("weight"), call.parameter("bias"));
    if (!on.m.failed()) after_call(on.m, hook, call);
    return call.output.is_tensor() ? call.output.tensor : TensorState{};
  }
};

std::string ops(const std::vector<CollectiveEvent>& events) {
  std::string all;
  for (const auto& e : events)
    all += std::string(all.empty() ? "" : ", ") + to_string(e.op) + " " + std::to_string(e.numel);
  return all;
}

}  // namespace

TEST_CASE("colwise: splits the output, sums the input's gradient", "[hooks]") {
  for (const Dialect& dialect : kGenerations) {
    INFO(to_string(dialect));
    LinearCall layer(dialect, StrategyKind::colwise);
    const TensorState out = layer.run(layer.on.whole({3, 8}));
    CHECK(is_cut(out, 1));
    CHECK_FALSE(out.belief);
    CHECK(ops(layer.on.trace.forward).empty());
    CHECK(ops(layer.on.trace.backward) == "all_reduce 24");
  }
}

TEST_CASE("colwise_gather_output: gathers the output", "[hooks]") {
  for (const Dialect& dialect : kGenerations) {
    INFO(to_string(dialect));
    LinearCall layer(dialect, StrategyKind::colwise_gather_output);
    CHECK(is_whole(layer.run(layer.on.whole({3, 8}))));
    CHECK(ops(layer.on.trace.forward) == "all_gather 24");
  }
}

TEST_CASE("rowwise: takes split features, reduces the output, adds the bias once", "[hooks]") {
  for (const Dialect& dialect : kGenerations) {
    INFO(to_string(dialect));
    LinearCall layer(dialect, StrategyKind::rowwise, 2, true);
    CHECK(is_whole(layer.run(layer.on.cut({3, 8}, 1))));
    CHECK(ops(layer.on.trace.forward) == "all_reduce 48");
    CHECK(ops(layer.on.trace.train_forward) == "all_reduce 48");
    CHECK(ops(layer.on.trace.backward).empty());
  }
}

TEST_CASE("rowwise: a whole input does not fit the split weight", "[hooks]") {
  LinearCall layer(k5_15, StrategyKind::rowwise);
  layer.run(layer.on.whole({3, 8}));
  CHECK(layer.on.fault() == "TP108");
}

TEST_CASE("rowwise_split_input: cuts its input, gathers the pieces' gradients", "[hooks]") {
  for (const Dialect& dialect : kGenerations) {
    INFO(to_string(dialect));
    LinearCall layer(dialect, StrategyKind::rowwise_split_input);
    CHECK(is_whole(layer.run(layer.on.whole({3, 8}))));
    CHECK(ops(layer.on.trace.forward) == "all_reduce 48");
    CHECK(ops(layer.on.trace.backward) == "all_gather 12");
  }
}

TEST_CASE("all_reduce: of a whole output counts it once per rank", "[hooks]") {
  LinearCall layer(kNewestDialect, StrategyKind::all_reduce);
  CHECK(layer.run(layer.on.whole({3, 8})).layout.scale == 2);
}

TEST_CASE("replicate: nothing is cut and nothing moves", "[hooks]") {
  for (const Dialect& dialect : kGenerations) {
    INFO(to_string(dialect));
    LinearCall layer(dialect, StrategyKind::replicate);
    CHECK(is_whole(layer.run(layer.on.whole({3, 8}))));
    CHECK(layer.on.trace.forward.empty());
  }
}

TEST_CASE("sequence_parallel: 5.15 gathers features before and scatters after", "[hooks]") {
  LinearCall layer(k5_15, StrategyKind::sequence_parallel);
  layer.run(layer.on.cut({2, 3, 8}, 2));
  CHECK(ops(layer.on.trace.forward) == "all_gather 24, reduce_scatter 96");
}

TEST_CASE("moe_identity_expert: divides by the ranks, so that the following sum restores", "[hooks]") {
  for (const Dialect& dialect : {k5_15, kNewestDialect}) {
    LinearCall layer(dialect, StrategyKind::moe_identity_expert);
    CHECK(layer.run(layer.on.whole({3, 8})).layout.scale == 0.5);
  }
}

TEST_CASE("hooks: a module called by keyword only gives them nothing to work on", "[hooks]") {
  for (const StrategyKind kind : {StrategyKind::rowwise_split_input, StrategyKind::sequence_parallel}) {
    LinearCall layer(k5_15, kind);
    layer.call.keyword.emplace_back("input", layer.on.whole({3, 8}));
    before_call(layer.on.m, layer.hook, layer.call);
    CHECK(layer.on.fault() == "TP121");
  }
}

TEST_CASE("hooks: a module that returns a tuple cannot be reduced", "[hooks]") {
  LinearCall layer(k5_15, StrategyKind::rowwise);
  layer.call.output = ForwardValue(std::vector<ForwardValue>{layer.on.partial({3, 16}), ForwardValue{}});
  after_call(layer.on.m, layer.hook, layer.call);
  CHECK(layer.on.fault() == "TP121");
}

TEST_CASE("ep_router: masks the routes of experts that lie elsewhere", "[hooks]") {
  LinearCall router(k5_15, StrategyKind::ep_router);
  router.type.num_experts = 4;
  TensorState indices = router.on.whole({10, 2});
  indices.elements = Elements::routing;
  router.call.output = ForwardValue(
      std::vector<ForwardValue>{router.on.whole({10, 4}), router.on.whole({10, 2}), ForwardValue(indices)});
  after_call(router.on.m, router.hook, router.call);
  CHECK(router.call.output.items[2].tensor.elements == Elements::masked_routing);
}

TEST_CASE("ep_router: experts that do not divide are refused", "[hooks]") {
  LinearCall router(k5_15, StrategyKind::ep_router, 3);
  router.type.num_experts = 4;
  router.call.output = ForwardValue(
      std::vector<ForwardValue>{router.on.whole({10, 4}), router.on.whole({10, 2}), router.on.whole({10, 2})});
  after_call(router.on.m, router.hook, router.call);
  CHECK(router.on.fault() == "TP103");
}

TEST_CASE("mla_kv_a_proj: sums the gradient of the rotary columns", "[hooks]") {
  Model model;
  model.qk_rope_head_dim = 4;
  LinearCall layer(k5_15, StrategyKind::mla_kv_a_proj);
  layer.hook.model = &model;
  CHECK(is_whole(layer.run(layer.on.whole({3, 8}))));
  CHECK(ops(layer.on.trace.backward) == "all_reduce 12");
  CHECK(layer.on.trace.forward.empty());
}

TEST_CASE("refused_by_module: from 5.21 colwise and rowwise are for linear layers", "[hooks]") {
  ModuleType norm;
  norm.class_name = "LlamaRMSNorm";
  Hook hook;
  for (const StrategyKind kind : {StrategyKind::colwise, StrategyKind::rowwise}) {
    hook.kind = kind;
    const auto refused = refused_by_module(hook, norm, kNewestDialect, 2);
    REQUIRE(refused);
    CHECK(refused->code == "TP122");
    CHECK_FALSE(refused_by_module(hook, norm, k5_15, 2));
  }
}

TEST_CASE("refused_by_module: 5.14 to 5.20 gather equal shards only", "[hooks]") {
  ModuleType head;
  head.out_features = 130;
  Hook hook;
  hook.kind = StrategyKind::colwise_gather_output;
  CHECK(refused_by_module(hook, head, k5_15, 4)->code == "TP103");
  CHECK_FALSE(refused_by_module(hook, head, k5_15, 2));
  CHECK_FALSE(refused_by_module(hook, head, Dialect{5, 13, 0}, 4));
}

TEST_CASE("is_installed: up to 5.0 rowwise is for linear layers and embeddings", "[hooks]") {
  ModuleType norm, layer;
  norm.kind = ModuleKind::rms_norm;
  layer.kind = ModuleKind::linear;
  Hook hook;
  hook.kind = StrategyKind::rowwise;
  CHECK_FALSE(is_installed(hook, norm, k5_0));
  CHECK(is_installed(hook, layer, k5_0));
  CHECK(is_installed(hook, norm, k5_15));
}

TEST_CASE("custom: a strategy described by data moves what it says", "[hooks][custom]") {
  CustomStrategy custom;
  custom.name = "rows";
  custom.weight_dim = 1;
  custom.split_input = true;
  custom.forward = CollectiveOp::all_reduce;
  custom.backward_input = CollectiveOp::all_gather;
  custom.bias_after_reduction = true;
  LinearCall layer(kNewestDialect, StrategyKind::replicate, 2, true);
  layer.hook.kind = StrategyKind::custom;
  layer.hook.custom = &custom;
  const ParameterToPlace what{&layer.type, &layer.type.parameters.front()};
  layer.call.parameters.front() = place_parameter(layer.on.m, what, StrategyKind::custom, &custom).state;
  CHECK(is_whole(layer.run(layer.on.whole({3, 8}))));
  CHECK(ops(layer.on.trace.forward) == "all_reduce 48");
  CHECK(ops(layer.on.trace.backward) == "all_gather 12");
}

}  // namespace tpsim
