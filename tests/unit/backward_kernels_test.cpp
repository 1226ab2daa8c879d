// Every backward kernel against central differences of its forward, in double precision.
#include <cmath>
#include <functional>
#include <random>

#include "exec/backward/gradients.h"
#include "exec/operations.h"
#include "tests/catch.hpp"

namespace tpsim::exec {
namespace {

using T = Tensor<double>;
using Inputs = std::vector<T>;

constexpr double kStep = 1e-5, kTolerance = 1e-6;

T drawn(const Shape& shape, unsigned seed, double least = -1, double most = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> draw(least, most);
  T x = make_tensor<double>(shape);
  for (double& v : *x.real) v = draw(generator);
  return x;
}

T ids(const Shape& shape, std::vector<std::int64_t> values) { return make_ids<double>(shape, std::move(values)); }

std::vector<const T*> pointers(const Inputs& inputs) {
  std::vector<const T*> all;
  for (const T& x : inputs) all.push_back(x.empty() ? nullptr : &x);
  return all;
}

std::vector<T> forward(const RecordedOp& op, const Inputs& inputs, int rank) {
  OperationState<double> state;
  return execute<double>(op, pointers(inputs), {rank, 0, nullptr, &state});
}

// A recorded operation on these inputs: absent ones are empty tensors. The shapes of the outputs must be given.
RecordedOp recorded(Op op, const Inputs& inputs, std::vector<Shape> shapes, std::vector<std::int64_t> ints = {}) {
  RecordedOp result;
  result.op = op;
  for (std::size_t i = 0; i < inputs.size(); ++i) result.inputs.push_back(inputs[i].empty() ? -1 : static_cast<int>(i));
  for (const Shape& shape : shapes) result.shapes.emplace_back(shape);
  result.ints = std::move(ints);
  return result;
}

RecordedOp recorded(Primitive primitive, const Inputs& inputs, std::vector<Shape> shapes,
                    std::vector<std::int64_t> ints = {}) {
  RecordedOp result = recorded(Op::cast, inputs, std::move(shapes), std::move(ints));
  result.primitive = primitive;
  return result;
}

// The largest difference between the gradients and central differences of sum(outputs * weights).
double worst_gradient_error(const RecordedOp& op, Inputs inputs, int rank = 0) {
  const std::vector<T> out = forward(op, inputs, rank);
  std::vector<T> weights;
  std::vector<const T*> of;
  for (std::size_t i = 0; i < out.size(); ++i)
    weights.push_back(out[i].real == nullptr ? T{} : drawn(out[i].shape, 77 + static_cast<unsigned>(i)));
  for (const T& w : weights) of.push_back(w.empty() ? nullptr : &w);
  const auto objective = [&] {
    const std::vector<T> y = forward(op, inputs, rank);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      for (std::int64_t e = 0; !weights[i].empty() && e < y[i].numel(); ++e)
        sum += y[i].data()[e] * weights[i].data()[e];
    return sum;
  };
  const std::vector<const T*> in = pointers(inputs), results = pointers(out);
  const std::vector<T> gradients = gradients_of<double>({op, in, results, of, rank});
  REQUIRE(gradients.size() == inputs.size());
  double worst = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (gradients[i].empty()) continue;
    REQUIRE(gradients[i].shape == inputs[i].shape);
    for (std::int64_t e = 0; e < inputs[i].numel(); ++e) {
      double& v = inputs[i].data()[e];
      const double kept = v;
      v = kept + kStep;
      const double above = objective();
      v = kept - kStep;
      const double below = objective();
      v = kept;
      worst = std::max(worst, std::fabs((above - below) / (2 * kStep) - gradients[i].data()[e]));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("backward: products and their bias", "[exec][backward]") {
  const Inputs plain{drawn({2, 3, 4}, 1), drawn({5, 4}, 2), drawn({5}, 3)};
  CHECK(worst_gradient_error(recorded(Op::linear, plain, {{2, 3, 5}}, {0}), plain) < kTolerance);
  const Inputs transposed{drawn({2, 3, 4}, 1), drawn({4, 5}, 2), {}};
  CHECK(worst_gradient_error(recorded(Op::linear, transposed, {{2, 3, 5}}, {1}), transposed) < kTolerance);
  const Inputs batches{drawn({2, 3, 4}, 1), drawn({2, 4, 5}, 2)};
  CHECK(worst_gradient_error(recorded(Op::bmm, batches, {{2, 3, 5}}), batches) < kTolerance);
}

TEST_CASE("backward: rows of a table that a rank does not hold get nothing", "[exec][backward]") {
  const Inputs inputs{ids({2, 3}, {2, 3, 0, 3, 4, 2}), drawn({2, 4}, 2)};
  RecordedOp op = recorded(Primitive::embedding, inputs, {{2, 3, 4}});
  op.number = 2;
  op.ranges = {{{0, 2}}, {{2, 4}}};
  CHECK(worst_gradient_error(op, inputs, 1) < kTolerance);
}

TEST_CASE("backward: norms", "[exec][backward]") {
  for (const bool centred : {false, true}) {
    const Inputs inputs{drawn({2, 3, 6}, 1), drawn({6}, 2), centred ? drawn({6}, 3) : T{}};
    RecordedOp op = recorded(Primitive::norm, inputs, {{2, 3, 6}}, {centred ? 1 : 0});
    op.number = 1e-5;
    op.offset = centred ? 0 : 1;
    CHECK(worst_gradient_error(op, inputs) < kTolerance);
  }
}

TEST_CASE("backward: arithmetic sums over what was broadcast", "[exec][backward]") {
  const Inputs inputs{drawn({2, 1, 3}, 1), drawn({4, 3}, 2, 1, 2)};
  for (const Op op : {Op::add, Op::sub, Op::mul, Op::div})
    CHECK(worst_gradient_error(recorded(op, inputs, {{2, 4, 3}}), inputs) < kTolerance);
}

TEST_CASE("backward: functions by name", "[exec][backward]") {
  for (const char* name : {"silu", "gelu", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu2", "sigmoid", "tanh",
                           "rsqrt", "exp", "softplus", "identity", "softcap", "clamp"}) {
    const bool positive = std::string(name) == "rsqrt";
    const Inputs inputs{drawn({40}, 1, positive ? 0.5 : -3, 3)};
    RecordedOp op = recorded(Op::act, inputs, {{40}});
    op.text = name;
    op.number = 2;
    INFO(name);
    CHECK(worst_gradient_error(op, inputs) < kTolerance);
  }
  const Inputs with_slopes{drawn({40}, 1, -3, 3), drawn({1}, 2), drawn({1}, 3)};
  RecordedOp xielu = recorded(Op::act, with_slopes, {{40}});
  xielu.text = "xielu";
  CHECK(worst_gradient_error(xielu, with_slopes) < kTolerance);
}

TEST_CASE("backward: softmax and division by the sum", "[exec][backward]") {
  const Inputs inputs{drawn({3, 5}, 1, 0.1, 2)};
  for (const Op op : {Op::softmax, Op::normalize})
    CHECK(worst_gradient_error(recorded(op, inputs, {{3, 5}}), inputs) < kTolerance);
}

TEST_CASE("backward: attention with groups, window, cap, sinks and bias", "[exec][backward]") {
  const Shape q{2, 4, 5, 3}, kv{2, 2, 5, 3};
  RecordedOp op;
  std::vector<std::int64_t> ints(8, 0);
  ints[kGroups] = 2;
  Inputs inputs{drawn(q, 1), drawn(kv, 2), drawn(kv, 3), {}, drawn({4}, 4), drawn({1, 4, 5, 5}, 5)};
  op = recorded(Op::attention, inputs, {{2, 5, 4, 3}}, ints);
  CHECK(worst_gradient_error(op, inputs) < kTolerance);
  op.ints[kWindow] = 3;
  op.softcap = 2;
  CHECK(worst_gradient_error(op, inputs) < kTolerance);
}

TEST_CASE("backward: a rotation is undone", "[exec][backward]") {
  const Inputs inputs{drawn({2, 2, 3, 6}, 1), drawn({1, 3, 4}, 2), drawn({1, 3, 4}, 3)};
  for (const std::int64_t interleaved : {0, 1})
    CHECK(worst_gradient_error(recorded(Op::rope_one, inputs, {inputs[0].shape}, {interleaved, 0}), inputs) <
          kTolerance);
}

TEST_CASE("backward: what moves values", "[exec][backward]") {
  const Inputs one{drawn({2, 4, 3}, 1)};
  CHECK(worst_gradient_error(recorded(Op::transpose, one, {{2, 3, 4}}, {1, 2}), one) < kTolerance);
  CHECK(worst_gradient_error(recorded(Op::split, one, {{2, 1, 3}, {2, 3, 3}}, {1, 1, 3}), one) < kTolerance);
  CHECK(worst_gradient_error(recorded(Op::sum, one, {{2, 3}}, {1, 0}), one) < kTolerance);
  CHECK(worst_gradient_error(recorded(Op::repeat_heads, one, {{2, 8, 3}}, {2}), one) < kTolerance);
  CHECK(worst_gradient_error(recorded(Op::previous, one, {{2, 4, 3}}), one) < kTolerance);
  RecordedOp cut = recorded(Op::slice, one, {{2, 2, 3}}, {1, 1, 3});
  cut.ranges = {{{1, 3}}};
  CHECK(worst_gradient_error(cut, one) < kTolerance);
  CHECK(worst_gradient_error(recorded(Primitive::own_chunk, one, {{2, 2, 3}}, {1, 2}), one, 1) < kTolerance);
  const Inputs narrow{drawn({2, 1, 3}, 1)};
  CHECK(worst_gradient_error(recorded(Op::expand, narrow, {{2, 4, 3}}), narrow) < kTolerance);
  const Inputs two{drawn({2, 4, 3}, 1), drawn({2, 2, 3}, 2)};
  CHECK(worst_gradient_error(recorded(Op::concat, two, {{2, 6, 3}}, {-2}), two) < kTolerance);
  CHECK(worst_gradient_error(recorded(Op::relative_bias, one, {{2, 4, 4}}), one) < kTolerance);
}

TEST_CASE("backward: routes and the rows of one expert", "[exec][backward]") {
  const Inputs scores{drawn({4, 6}, 1), {}};
  CHECK(worst_gradient_error(recorded(Op::topk_route, scores, {{4, 2}, {4, 2}}, {2, 0, 0, 0}), scores) < kTolerance);
  const T chosen = ids({3, 2}, {0, 2, 1, 0, 2, 1});
  const Inputs weights{drawn({3, 2}, 1), chosen, drawn({3, 4}, 2)};
  CHECK(worst_gradient_error(recorded(Op::scatter_topk, weights, {{3, 4}}), weights) < kTolerance);
  const Inputs routed{drawn({3, 4}, 1), chosen, drawn({3, 2}, 2)};
  RecordedOp rows = recorded(Primitive::expert_rows, routed, {{2, 4}, {2, 1}}, {2});
  rows.data_dependent = true;
  CHECK(worst_gradient_error(rows, routed) < kTolerance);
  const Inputs adding{drawn({3, 4}, 1), drawn({2, 4}, 2), chosen};
  CHECK(worst_gradient_error(recorded(Primitive::add_expert_rows, adding, {{3, 4}}, {2}), adding) < kTolerance);
  for (const std::int64_t dense : {0, 1}) {
    const Inputs all{drawn({3, dense == 1 ? 4 : 2}, 1), chosen};
    CHECK(worst_gradient_error(recorded(Primitive::own_routes, all, {all[0].shape, {3, 2}}, {4, 2, dense}), all, 1) <
          kTolerance);
  }
}

TEST_CASE("backward: a sparse mixer's weights", "[exec][backward]") {
  const Inputs scores{drawn({4, 6}, 1, 0.5, 1.5), {}};
  RecordedOp op = recorded(Op::topk_route, scores, {{4, 2}, {4, 2}}, {2, 0, 0, 0});
  op.number = 0.2;
  CHECK(worst_gradient_error(op, scores) < kTolerance);
}

TEST_CASE("backward: computations of single types", "[exec][backward]") {
  const auto error_of = [](const char* name, const Inputs& inputs, const Shape& out, double number) {
    RecordedOp op = recorded(Op::opaque, inputs, {out});
    op.text = name;
    op.number = number;
    return worst_gradient_error(op, inputs);
  };
  const T streams = drawn({3, 2, 4, 5}, 1), one = drawn({2, 4, 5}, 2);
  CHECK(error_of("match_magnitude", {streams, one}, streams.shape, 0) < kTolerance);
  CHECK(error_of("mean_of_streams", {one, streams}, one.shape, 0) < kTolerance);
  CHECK(error_of("gaussian_topk", {one}, one.shape, 0.6) < kTolerance);
  CHECK(error_of("altup_predict", {streams, drawn({2, 4, 9}, 3)}, streams.shape, 0) < kTolerance);
  CHECK(error_of("altup_correct", {streams, one, drawn({2, 4, 3}, 4)}, streams.shape, 1) < kTolerance);
  const T chosen = ids({3, 2}, {0, 2, 1, 0, 2, 1});
  CHECK(error_of("per_expert_scale", {drawn({3, 2}, 1), drawn({3}, 2), chosen}, {3, 2}, 0) < kTolerance);
  CHECK(error_of("share_of_zero_experts", {drawn({3, 1}, 1), drawn({3, 2}, 2), chosen}, {3, 1}, 1) < kTolerance);
}

TEST_CASE("backward: fused experts in every layout", "[exec][backward]") {
  const T chosen = ids({3, 2}, {0, 1, 1, 2, 0, 2});
  for (const char* gate : {"silu", "gpt_oss_swiglu", "clamped_silu", "limited_silu"}) {
    const Inputs inputs{drawn({3, 4}, 1),    chosen,           drawn({3, 2}, 2), drawn({2, 6, 4}, 3),
                        drawn({2, 4, 3}, 4), drawn({2, 6}, 5), drawn({2, 4}, 6)};
    RecordedOp op = recorded(Op::experts, inputs, {{3, 4}}, {0, 1, 0, 0});
    op.text = gate;
    op.number = 1.5;
    INFO(gate);
    CHECK(worst_gradient_error(op, inputs) < kTolerance);
  }
  const Inputs ungated{drawn({3, 4}, 1), chosen, drawn({3, 3}, 2), drawn({2, 4, 5}, 3), drawn({2, 5, 4}, 4), {}, {}};
  RecordedOp op = recorded(Op::experts, ungated, {{3, 4}}, {1, 0, 1, 1});
  op.text = "silu";
  CHECK(worst_gradient_error(op, ungated) < kTolerance);
}

TEST_CASE("backward: convolutions and recurrences through time", "[exec][backward]") {
  const Inputs conv{drawn({2, 3, 6}, 1), drawn({3, 1, 4}, 2), drawn({3}, 3)};
  CHECK(worst_gradient_error(recorded(Op::causal_conv, conv, {{2, 3, 6}}), conv) < kTolerance);
  const Inputs ssm{drawn({2, 5, 4, 3}, 1), drawn({2, 5, 4}, 2, 0.1, 1), drawn({4}, 3, -1, -0.1), drawn({2, 5, 2, 3}, 4),
                   drawn({2, 5, 2, 3}, 5)};
  RecordedOp scan = recorded(Op::scan, ssm, {ssm[0].shape});
  scan.text = "ssm";
  CHECK(worst_gradient_error(scan, ssm) < kTolerance);
  for (const Shape& decay : {Shape{2, 5, 4}, Shape{2, 5, 4, 2}}) {
    const Inputs delta{drawn({2, 5, 4, 3}, 1), drawn({2, 5, 2, 2}, 2), drawn({2, 5, 2, 2}, 3), drawn(decay, 4, -1, 0),
                       drawn({2, 5, 4}, 5, 0, 1)};
    RecordedOp rule = recorded(Op::scan, delta, {delta[0].shape});
    rule.text = "gated_delta";
    CHECK(worst_gradient_error(rule, delta) < 10 * kTolerance);
  }
  const Inputs keys{drawn({2, 5, 3}, 1), drawn({2, 5, 3}, 2), drawn({3}, 3), drawn({3}, 4)};
  RecordedOp wkv = recorded(Op::scan, keys, {keys[0].shape});
  wkv.text = "wkv";
  CHECK(worst_gradient_error(wkv, keys) < kTolerance);
  const Inputs lru{drawn({2, 5, 3}, 1), drawn({2, 5, 3}, 2, 0.1, 0.9)};
  RecordedOp unit = recorded(Op::scan, lru, {lru[0].shape});
  unit.text = "rg_lru";
  CHECK(worst_gradient_error(unit, lru) < kTolerance);
  const Inputs linear{drawn({2, 3, 5, 4}, 1), drawn({2, 3, 5, 4}, 2), drawn({2, 3, 5, 4}, 3)};
  std::vector<std::int64_t> ints(8, 0);
  ints[kLightningLayer] = 1;
  ints[kLightningLayers] = 4;
  RecordedOp lightning = recorded(Op::attention, linear, {{2, 5, 3, 4}}, ints);
  lightning.text = "lightning";
  CHECK(worst_gradient_error(lightning, linear) < kTolerance);
}

}  // namespace tpsim::exec
