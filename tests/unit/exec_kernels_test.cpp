#include <cmath>
#include <numeric>

#include "exec/kernels/attention.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/experts.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/recurrent.h"
#include "exec/kernels/rope.h"
#include "exec/kernels/shape_kernels.h"
#include "exec/operations.h"
#include "tests/catch.hpp"

namespace tpsim::exec {
namespace {

using T = Tensor<double>;

T tensor(const Shape& shape, std::vector<double> values) {
  return {shape, std::make_shared<std::vector<double>>(std::move(values)), nullptr};
}

// 0.1, 0.2, ... with alternating signs.
T counted(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = (i % 2 == 0 ? 0.1 : -0.1) * static_cast<double>(i + 1);
  return tensor(shape, std::move(values));
}

double largest_difference(const T& a, const T& b) {
  REQUIRE(a.shape == b.shape);
  double largest = 0;
  for (std::size_t i = 0; i < a.real->size(); ++i) largest = std::max(largest, std::fabs((*a.real)[i] - (*b.real)[i]));
  return largest;
}

}  // namespace

TEST_CASE("linear: weights lie as [out, in], or transposed; the bias is added to every row", "[exec]") {
  const T x = tensor({2, 2}, {1, 2, 3, 4}), bias = tensor({3}, {10, 20, 30});
  const T w = tensor({3, 2}, {1, 0, 0, 1, 1, 1});
  CHECK(*linear(x, w, &bias, false).real == std::vector<double>{11, 22, 33, 13, 24, 37});
  CHECK(largest_difference(linear(x, transpose(w, 0, 1), &bias, true), linear(x, w, &bias, false)) == 0);
}

TEST_CASE("embedding: ids that a rank does not hold give zeros", "[exec]") {
  const T table = tensor({2, 1}, {5, 7});
  const T ids = make_ids<double>({4}, {2, 3, 0, 4});
  const Range held{2, 4};
  CHECK(*embedding(ids, table, 2, std::span(&held, 1)).real == std::vector<double>{10, 14, 0, 0});
}

TEST_CASE("binary: extents of 1 serve all", "[exec]") {
  const T a = tensor({2, 1, 2}, {1, 2, 3, 4}), b = tensor({3, 1}, {10, 20, 30});
  CHECK(*binary(Arithmetic::add, a, b, Shape{2, 3, 2}).real ==
        std::vector<double>{11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34});
}

TEST_CASE("norm: a root mean square or a standard deviation of one", "[exec]") {
  const T x = tensor({1, 4}, {1, 2, 3, 6});
  const T rms = norm<double>(x, nullptr, nullptr, {false, 0, 0}, x.shape);
  CHECK(std::inner_product(rms.real->begin(), rms.real->end(), rms.real->begin(), 0.0) / 4 == Approx(1));
  const T layer = norm<double>(x, nullptr, nullptr, {true, 0, 0}, x.shape);
  CHECK(std::accumulate(layer.real->begin(), layer.real->end(), 0.0) == Approx(0).margin(1e-12));
  const T offset = norm<double>(x, &x, nullptr, {false, 0, 1}, x.shape);
  CHECK(offset.data()[3] == Approx(rms.data()[3] * 7));
}

TEST_CASE("attention: the first query sees itself only, a window forgets, a sink takes its share", "[exec]") {
  const T q = counted({1, 2, 3, 2}), k = counted({1, 1, 3, 2}), v = counted({1, 1, 3, 2});
  AttentionSettings settings;
  settings.groups = 2;
  const T all = attention<double>(q, k, v, nullptr, nullptr, settings);
  CHECK(all.shape == Shape{1, 3, 2, 2});
  CHECK(all.data()[0] == Approx(v.data()[0]));
  settings.window = 1;
  const T own = attention<double>(q, k, v, nullptr, nullptr, settings);
  CHECK(own.data()[2 * 2 * 2] == Approx(v.data()[4]));
  const T sink = tensor({2}, {100, -100});
  const T drained = attention(q, k, v, &sink, static_cast<const T*>(nullptr), settings);
  CHECK(drained.data()[0] == Approx(0).margin(1e-12));
  CHECK(drained.data()[2] == Approx(v.data()[0]));
}

TEST_CASE("attention: keys from before and new ones are as good as all at once", "[exec]") {
  const T q = counted({1, 2, 4, 2}), k = counted({1, 2, 4, 2}), v = counted({1, 2, 4, 2});
  AttentionSettings settings;
  const T all = attention<double>(q, k, v, nullptr, nullptr, settings);
  const T last = attention<double>(slice(q, 2, {3, 4}), k, v, nullptr, nullptr, settings);
  CHECK(largest_difference(last, slice(all, 1, {3, 4})) < 1e-15);
}

TEST_CASE("rope: position 0 is not turned, a turn keeps lengths, pairs and halves are two layouts of one thing",
          "[exec]") {
  Rotary rotary;
  rotary.columns = 4;
  const auto angles = rotary_angles(rotary, make_ids<double>({1, 2}, {0, 5}), 2);
  const T halves = tensor({1, 1, 2, 4}, {1, 2, 3, 4, 1, 2, 3, 4}),
          pairs = tensor({1, 1, 2, 4}, {1, 3, 2, 4, 1, 3, 2, 4});
  const T a = rotated(halves, angles.cos, angles.sin, {}), b = rotated(pairs, angles.cos, angles.sin, {true, false});
  CHECK(largest_difference(slice(a, 2, {0, 1}), slice(halves, 2, {0, 1})) == 0);
  CHECK(std::hypot(a.data()[4], a.data()[6]) == Approx(std::hypot(1, 3)));
  CHECK(a.data()[4] == Approx(b.data()[4]));
  CHECK(a.data()[6] == Approx(b.data()[5]));
}

TEST_CASE("angles: positions count from what went before and from the offset", "[exec]") {
  RecordedOp op;
  op.op = Op::angles;
  op.ints = {4, 2};  // columns, offset
  op.number = 100;   // theta
  op.shapes.assign(2, RankShapes(Shape{1, 2, 4}));
  REQUIRE(!not_executable(op, {}));
  const T x = counted({1, 2, 8});
  OperationContext<double> context;
  context.past = 3;
  const auto angles = execute<double>(op, {&x}, context);
  REQUIRE(angles.size() == 2);
  const std::vector<double> expected{5, 0.5, 5, 0.5, 6, 0.6, 6, 0.6};  // position, and position / sqrt(theta)
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(angles[0].data()[i] == Approx(std::cos(expected[i])).margin(1e-6));
    CHECK(angles[1].data()[i] == Approx(std::sin(expected[i])).margin(1e-6));
  }
}

TEST_CASE("rope: llama3 keeps short waves and stretches long ones", "[exec]") {
  Rotary plain, stretched;
  plain.columns = stretched.columns = 64;
  plain.theta = stretched.theta = 500000;
  stretched.kind = "llama3";
  stretched.factor = 8;
  stretched.original_positions = 8192;
  const T one = make_ids<double>({1, 1}, {1});
  const auto a = rotary_angles(plain, one, 1), b = rotary_angles(stretched, one, 1);
  CHECK(a.sin.data()[0] == b.sin.data()[0]);
  CHECK(a.sin.data()[31] == Approx(8 * b.sin.data()[31]));
}

TEST_CASE("rotary: an odd width turns one column more, its exponents stay shares of it", "[exec]") {
  Rotary odd;
  odd.columns = 6;
  odd.odd = true;
  const T one = make_ids<double>({1, 1}, {1});
  const auto angles = rotary_angles(odd, one, 1);
  CHECK(angles.sin.data()[1] == Approx(std::sin(std::pow(10000.0, -2.0 / 5))));
}

TEST_CASE("routing: best first, only of the best groups, others' experts taken out", "[exec]") {
  const T scores = tensor({1, 4}, {0.1, 0.4, 0.3, 0.3});
  const auto best = best_experts<double>(scores, nullptr, {2, 0, 0, 2});
  CHECK(*best.indices.whole == std::vector<std::int64_t>{1, 3});  // of equal ones as torch.topk
  const auto grouped = best_experts<double>(scores, nullptr, {2, 2, 1, 2});
  CHECK(*grouped.indices.whole == std::vector<std::int64_t>{2, 3});
  const auto mine = own_routes(best.weights, best.indices, 2, 0, false);
  CHECK(*mine.indices.whole == std::vector<std::int64_t>{1, 2});
  CHECK(*mine.weights.real == std::vector<double>{0.4, 0});
}

TEST_CASE("experts: halves of the features add up to the whole", "[exec]") {
  const T x = counted({3, 4}), up = counted({2, 8, 4}), down = counted({2, 4, 4});
  const T indices = make_ids<double>({3, 2}, {0, 1, 1, 0, 0, 1}), weights = counted({3, 2});
  ExpertLayout layout;
  layout.activation = "silu";
  const T whole = experts(x, indices, weights, {&up, &down, nullptr, nullptr}, layout);
  T sum = make_tensor<double>(whole.shape);
  for (const std::int64_t half : {0, 1}) {
    const T gate = slice(up, 1, {half * 2, half * 2 + 2}), value = slice(up, 1, {4 + half * 2, 6 + half * 2});
    const T part = concat<double>({&gate, &value}, 1), rows = slice(down, 2, {half * 2, half * 2 + 2});
    sum =
        binary(Arithmetic::add, sum, experts(x, indices, weights, {&part, &rows, nullptr, nullptr}, layout), sum.shape);
  }
  CHECK(largest_difference(sum, whole) < 1e-12);
}

TEST_CASE("causal_conv: two calls with the state between them are one", "[exec]") {
  const T x = counted({1, 2, 5}), w = counted({2, 1, 3});
  T none, state;
  const T whole = causal_conv<double>(x, w, nullptr, none);
  const T first = causal_conv<double>(slice(x, 2, {0, 2}), w, nullptr, state);
  const T second = causal_conv<double>(slice(x, 2, {2, 5}), w, nullptr, state);
  CHECK(largest_difference(concat<double>({&first, &second}, 2), whole) < 1e-15);
}

TEST_CASE("scan: two calls with the state between them are one", "[exec]") {
  const std::string kind = GENERATE("ssm", "gated_delta");
  const bool delta = kind == "gated_delta";
  const T x = counted({1, 5, 2, 3});
  const std::vector<T> all =
      delta ? std::vector<T>{x, counted({1, 5, 1, 4}), counted({1, 5, 1, 4}), counted({1, 5, 2}), counted({1, 5, 2})}
            : std::vector<T>{x, counted({1, 5, 2}), tensor({2}, {-0.5, -1}), counted({1, 5, 1, 4}),
                             counted({1, 5, 1, 4})};
  const auto part = [&](Range range) {
    std::vector<T> cut;
    for (const T& t : all) cut.push_back(t.shape.rank() == 1 ? t : slice(t, 1, range));
    return cut;
  };
  const auto run = [&](const std::vector<T>& inputs, T& state) {
    std::vector<const T*> pointers;
    for (const T& t : inputs) pointers.push_back(&t);
    return scan(kind, pointers, state);
  };
  T none, state;
  const T whole = run(all, none), first = run(part({0, 2}), state), second = run(part({2, 5}), state);
  CHECK(largest_difference(concat<double>({&first, &second}, 1), whole) < 1e-12);
}

}  // namespace tpsim::exec
