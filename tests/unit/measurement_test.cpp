#include "core/measurement.h"

#include "core/validation.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

Timing constant(double seconds) { return timing_of({seconds, seconds, seconds}); }

Measurement one_pass(std::vector<MeasuredCalls> calls, double total) {
  PassMeasurement pass;
  pass.phase = "prefill";
  pass.total = constant(total);
  pass.calls = std::move(calls);
  return {1, 3, {std::move(pass)}};
}

PassPrediction predicted(std::vector<PredictedCalls> calls, double total) {
  PassPrediction pass;
  pass.phase = "prefill";
  pass.total = Seconds(total);
  pass.band = 0.2;
  pass.calls = std::move(calls);
  return pass;
}

const CallGroup kLinear{"model.layers.*.mlp.up_proj", "linear", "64x128x64", false, 4096, 2};
const CallGroup kReduce{"model.layers.*.mlp", "all_reduce", "1x64x64", true, 16384, 2};

}  // namespace

TEST_CASE("timing_of: percentiles by interpolation, cv of a sample", "[measurement]") {
  const Timing t = timing_of({4, 1, 3, 2, 5});
  CHECK(t.n == 5);
  CHECK(t.median.count() == Approx(3));
  CHECK(t.p10.count() == Approx(1.4));
  CHECK(t.p90.count() == Approx(4.6));
  CHECK(t.cv == Approx(1.5811388 / 3));
}

TEST_CASE("timing_of: one value has no spread, none is nothing", "[measurement]") {
  CHECK(timing_of({2}).p10.count() == Approx(2));
  CHECK(timing_of({2}).cv == 0);
  CHECK(timing_of({}).n == 0);
}

TEST_CASE("call_groups: equal layers are one group of two calls, other shapes another", "[measurement]") {
  Analysis analysis;
  Trace layer;
  Operation up;
  up.kind = OperationKind::gemm;
  up.name = "linear";
  up.module = "mlp.up_proj";
  up.m = 64, up.n = 128, up.k = 32;
  layer.operations = {up};
  CollectiveEvent reduce;
  reduce.module = "mlp";
  reduce.input_shape = {1, 64, 32};
  layer.forward = {reduce};
  Trace wide = layer;
  wide.operations[0].n = 256;
  analysis.traces = {layer, wide};
  analysis.steps = {{0, "model.layers.0"}, {1, "model.layers.1"}, {0, "model.layers.2"}};
  const CallGroups groups = call_groups(analysis);
  REQUIRE(groups.groups.size() == 3);
  CHECK(groups.groups[0] == CallGroup{"model.layers.*.mlp.up_proj", "linear", "64x128x32", false, 0, 2});
  CHECK(groups.groups[1].shape == "64x256x32");
  CHECK(groups.groups[2] == CallGroup{"model.layers.*.mlp", "all_reduce", "1x64x32", true, 0, 3});
  CHECK(groups.of_operation[2][0] == 0);
  CHECK(groups.of_collective[1][0] == 2);
}

TEST_CASE("compare: errors are of the prediction, bands hold or do not", "[measurement][validation]") {
  const auto measured = one_pass({{kLinear, constant(10e-6)}, {kReduce, constant(4e-6)}}, 30e-6);
  const auto v = compare({predicted({{kLinear, Seconds(9e-6), 0.2}, {kReduce, Seconds(6e-6), 0.2}}, 33e-6)}, measured);
  REQUIRE(v.exact());
  REQUIRE(v.passes.size() == 1);
  CHECK(v.passes[0].calls[0].error == Approx(-0.1));
  CHECK(v.passes[0].calls[0].within);
  CHECK(v.passes[0].calls[1].error == Approx(0.5));
  CHECK_FALSE(v.passes[0].calls[1].within);
  CHECK(v.passes[0].total.error == Approx(0.1));
  CHECK(v.worst_error == Approx(0.5));
  CHECK(v.median_error == Approx(0.3));
  CHECK(v.worst_total == Approx(0.1));
}

TEST_CASE("compare: other bytes, counts and calls are differences", "[measurement][validation]") {
  CallGroup more = kLinear, heavy = kReduce;
  more.count = 3;
  heavy.bytes = 8192;
  const CallGroup extra{"lm_head", "all_gather", "1x64x128", true, 65536, 1};
  const auto measured = one_pass({{more, constant(1e-6)}, {heavy, constant(1e-6)}, {extra, constant(1e-6)}}, 9e-6);
  const CallGroup missing{"model.norm", "norm", "", false, 99, 1};
  const auto v = compare(
      {predicted({{kLinear, Seconds(1e-6), 0}, {kReduce, Seconds(1e-6), 0}, {missing, Seconds(1e-6), 0}}, 9e-6)},
      measured);
  CHECK(v.differences ==
        std::vector<std::string>{"prefill: linear model.layers.*.mlp.up_proj 64x128x64: 3 calls, predicted 2",
                                 "prefill: all_reduce model.layers.*.mlp 1x64x64: 8192 bytes, predicted 16384",
                                 "prefill: all_gather lm_head 1x64x128: executed, but not predicted",
                                 "prefill: norm model.norm : predicted, but not executed"});
}

TEST_CASE("compare: a pass of another size was not predicted", "[measurement][validation]") {
  auto expected = predicted({}, 1);
  expected.tokens = 7;
  CHECK_FALSE(compare({expected}, one_pass({}, 1)).exact());
}

TEST_CASE("compare: spread above 5 % is unstable", "[measurement][validation]") {
  const auto measured = one_pass({{kLinear, timing_of({1e-6, 1e-6, 2e-6})}}, 1e-5);
  const auto v = compare({predicted({{kLinear, Seconds(1e-6), 0.1}}, 1e-5)}, measured);
  CHECK(v.passes[0].calls[0].unstable);
  CHECK_FALSE(v.passes[0].total.unstable);
}
