// The GPU's kernels, emulated, against the CPU's, over many shapes and in every stored type. Each runs with the
// threads of its blocks in two orders: other results would show a missing barrier.
#include <cmath>
#include <functional>
#include <random>

#include "exec/cuda/emulation/cuda_on_cpu.h"
#include "exec/cuda/emulation/emulated_device.h"
#include "exec/kernels/attention.h"
#include "exec/kernels/elementwise.h"
#include "exec/kernels/experts.h"
#include "exec/kernels/linear.h"
#include "exec/kernels/rope.h"
#include "exec/kernels/shape_kernels.h"
#include "exec/stored_numbers.h"
#include "tests/catch.hpp"

namespace tpsim::exec {
namespace {

using T = Tensor<float>;

// Tensors in the memory of an emulated device.
class Bench {
public:
  explicit Bench(Stored type, cuda::EmulatedLimits limits = {}) : stored(type), device(cuda::emulated_device(limits)) {}

  // The tensor as it is after rounding, on both sides.
  const void* put(T& x) {
    const auto bits = stored_bits(*x.real, stored);
    *x.real = numbers_of(bits, stored);
    void* memory = device->allocate(bits.size());
    device->upload(memory, bits.data(), bits.size());
    return memory;
  }
  const void* put_ids(const T& x) {
    void* memory = device->allocate(x.whole->size() * 8);
    device->upload(memory, x.whole->data(), x.whole->size() * 8);
    return memory;
  }
  void* room(std::int64_t numbers, int bytes = 0) {
    return device->allocate(static_cast<std::size_t>(numbers * (bytes == 0 ? size_of(stored) : bytes)));
  }
  T get(const void* memory, const Shape& shape) {
    std::vector<unsigned char> bits(static_cast<std::size_t>(shape.numel() * size_of(stored)));
    device->download(bits.data(), memory, bits.size());
    return {shape, std::make_shared<std::vector<float>>(numbers_of(bits, stored)), nullptr};
  }
  template <class Whole>
  std::vector<std::int64_t> get_whole(const void* memory, std::int64_t count) {
    std::vector<Whole> values(static_cast<std::size_t>(count));
    device->download(values.data(), memory, values.size() * sizeof(Whole));
    return {values.begin(), values.end()};
  }

  Stored stored;
  std::unique_ptr<Device> device;
};

T random_tensor(const Shape& shape, unsigned seed, float size = 1) {
  std::mt19937 engine(seed);
  T x = make_tensor<float>(shape);
  for (float& v : *x.real) v = size * (static_cast<float>(engine() % 20001) / 10000.0F - 1.0F);
  return x;
}

T random_ids(const Shape& shape, std::int64_t below, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<std::int64_t> values(static_cast<std::size_t>(shape.numel()));
  for (auto& v : values) v = static_cast<std::int64_t>(engine()) % below;
  return make_ids<float>(shape, std::move(values));
}

// One rounding; for fp32 what sums of some hundred terms lose.
double precision_of(Stored stored) {
  return stored == Stored::fp32 ? 1e-6 : stored == Stored::bf16 ? 1.0 / 256 : 1.0 / 2048;
}

// Largest difference relative to the type's precision and the size of the numbers.
double off(const T& got, T expected, Stored stored) {
  REQUIRE(got.shape == expected.shape);
  double largest = 0, size = 0;
  for (const float v : *expected.real) size = std::max(size, static_cast<double>(std::fabs(v)));
  for (std::size_t i = 0; i < got.real->size(); ++i) {
    const double difference = std::fabs((*got.real)[i] - (*expected.real)[i]);
    largest = std::max(largest, std::isnan(difference) ? 1e30 : difference);
  }
  return size == 0 ? largest : largest / size / precision_of(stored);
}

constexpr double kFew = 4;  // units of the last place, of results that differ by the order of their sums

// Runs `once` for both orders of threads and compares bit for bit.
T in_both_orders(const std::function<T()>& once) {
  cuda::emulation::set_order(cuda::emulation::Order::descending);
  const T other = once();
  cuda::emulation::set_order(cuda::emulation::Order::ascending);
  T result = once();
  CHECK(*other.real == *result.real);
  return result;
}

const std::vector<Stored> kTypes = {Stored::fp32, Stored::bf16, Stored::fp16};

struct AttentionCase {
  std::int64_t batch, heads, key_heads, queries, keys, width, value_width;
  AttentionSettings settings;
  bool sinks = false;
  int bias = 0;  // 1: [1, 1, S, K], 2: [B, n, 1, K]
};

AttentionOp op_of(const AttentionCase& c, Stored stored) {
  AttentionOp op;
  op.stored = stored;
  op.batch = c.batch;
  op.heads = op.query_heads = c.heads;
  op.key_heads = op.value_heads = c.key_heads;
  op.key_share = op.value_share = c.heads / c.key_heads;
  op.queries = c.queries;
  op.keys = op.key_room = c.keys;
  op.width = c.width;
  op.value_width = c.value_width;
  op.window = c.settings.window;
  op.chunk = c.settings.chunk;
  op.scale = c.settings.scale;
  op.softcap = c.settings.softcap;
  op.causal = c.settings.causal;
  return op;
}

double attention_off(AttentionCase c, Stored stored, cuda::EmulatedLimits limits = {}) {
  c.settings.groups = c.heads / c.key_heads;
  Bench bench(stored, limits);
  T q = random_tensor({c.batch, c.heads, c.queries, c.width}, 1, 2);
  T k = random_tensor({c.batch, c.key_heads, c.keys, c.width}, 2, 2);
  T v = random_tensor({c.batch, c.key_heads, c.keys, c.value_width}, 3);
  T sinks = random_tensor({c.heads}, 4);
  T bias = random_tensor(c.bias == 2 ? Shape{c.batch, c.heads, 1, c.keys} : Shape{1, 1, c.queries, c.keys}, 5);
  AttentionOp op = op_of(c, stored);
  op.q = bench.put(q);
  op.k = bench.put(k);
  op.v = bench.put(v);
  if (c.sinks) op.sinks = bench.put(sinks);
  if (c.bias > 0) op.bias = bench.put(bias);
  if (c.bias == 1) op.bias_query = c.keys;
  if (c.bias == 2) {
    op.bias_batch = c.heads * c.keys;
    op.bias_head = c.keys;
  }
  if (c.settings.alibi) {
    std::vector<float> slopes;
    for (const double s : head_slopes(c.heads)) slopes.push_back(static_cast<float>(s));
    void* memory = bench.room(c.heads, 4);
    bench.device->upload(memory, slopes.data(), slopes.size() * 4);
    op.slopes = static_cast<const float*>(memory);
  }
  const Shape shape{c.batch, c.queries, c.heads, c.value_width};
  const T got = in_both_orders([&] {
    op.out = bench.room(shape.numel());
    bench.device->run(op);
    return bench.get(op.out, shape);
  });
  return off(got, attention(q, k, v, c.sinks ? &sinks : nullptr, c.bias > 0 ? &bias : nullptr, c.settings), stored);
}

AttentionSettings settings(std::int64_t window, std::int64_t chunk = 0, double softcap = 0, bool causal = true,
                           bool alibi = false) {
  AttentionSettings s;
  s.window = window;
  s.chunk = chunk;
  s.softcap = softcap;
  s.causal = causal;
  s.alibi = alibi;
  return s;
}

}  // namespace

TEST_CASE("device attention: grouped heads, windows, chunks, sinks, soft caps, biases, odd sizes", "[device]") {
  const std::vector<AttentionCase> cases = {
      {1, 1, 1, 1, 1, 1, 1, settings(0)},
      {2, 4, 2, 5, 5, 8, 8, settings(0)},
      {1, 6, 2, 7, 19, 12, 20, settings(0)},
      {1, 4, 1, 33, 33, 16, 16, settings(0)},
      {1, 2, 2, 70, 70, 24, 24, settings(0)},
      {1, 4, 2, 20, 45, 16, 16, settings(7)},
      {1, 2, 1, 40, 80, 8, 8, settings(0, 16)},
      {1, 4, 4, 9, 21, 16, 8, settings(0), true},
      {2, 4, 2, 6, 13, 16, 16, settings(4), true},
      {1, 2, 1, 11, 11, 16, 16, settings(0, 0, 1.5)},
      {1, 2, 2, 10, 37, 16, 16, settings(0, 0, 0, false)},
      {2, 3, 3, 6, 17, 8, 8, settings(0, 0, 0, true, true)},
      {1, 2, 2, 6, 17, 8, 8, settings(0), false, 1},
      {2, 4, 2, 3, 17, 8, 8, settings(0), true, 2},
      {1, 2, 1, 5, 9, 130, 72, settings(0)},
  };
  for (const Stored stored : kTypes)
    for (std::size_t i = 0; i < cases.size(); ++i) {
      INFO("type " << static_cast<int>(stored) << ", case " << i);
      CHECK(attention_off(cases[i], stored) < kFew);
    }
}

TEST_CASE("device attention: one query over many keys, split over blocks and joined again", "[device]") {
  for (const Stored stored : kTypes) {
    CHECK(attention_off({1, 8, 2, 1, 700, 16, 16, settings(0)}, stored, {99 * 1024, 16}) < kFew);
    CHECK(attention_off({2, 4, 4, 1, 515, 16, 24, settings(0), true}, stored, {99 * 1024, 40}) < kFew);
    CHECK(attention_off({1, 4, 1, 3, 900, 8, 8, settings(40)}, stored, {99 * 1024, 64}) < kFew);
    CHECK(attention_off({1, 1, 1, 1, 300, 8, 8, settings(0), false, 1}, stored, {99 * 1024, 64}) < kFew);
  }
}

TEST_CASE("device attention: small shared memory gives smaller tiles and the same numbers", "[device]") {
  CHECK(attention_off({1, 4, 2, 40, 40, 64, 64, settings(0)}, Stored::fp32, {40 * 1024, 4}) < kFew);
  CHECK_THROWS_WITH(attention_off({1, 4, 2, 40, 40, 512, 512, settings(0)}, Stored::fp32, {40 * 1024, 4}),
                    Catch::Contains("does not fit"));
}

TEST_CASE("device norms: root mean square and layer norm, with weights, offsets and biases", "[device]") {
  for (const Stored stored : kTypes)
    for (const std::int64_t n : {1, 5, 31, 64, 300, 1031})
      for (const int kind : {0, 1, 2, 3}) {
        Bench bench(stored);
        T x = random_tensor({3, n}, 7), w = random_tensor({n}, 8), b = random_tensor({n}, 9);
        const NormNumbers numbers{kind == 3, 1e-5, kind == 2 ? 1.0 : 0.0};
        NormOp op{stored, bench.room(3 * n), bench.put(x)};
        if (kind > 0) op.weight = bench.put(w);
        if (kind == 3) op.bias = bench.put(b);
        op.rows = 3;
        op.columns = n;
        op.centred = numbers.centred;
        op.eps = numbers.eps;
        op.offset = numbers.offset;
        const T got = in_both_orders([&] {
          bench.device->run(op);
          return bench.get(op.to, x.shape);
        });
        INFO("columns " << n << ", kind " << kind);
        CHECK(off(got, norm(x, kind > 0 ? &w : nullptr, kind == 3 ? &b : nullptr, numbers, x.shape), stored) < kFew);
      }
}

TEST_CASE("device rows: softmax and division by the sum", "[device]") {
  for (const Stored stored : kTypes)
    for (const std::int64_t n : {1, 3, 33, 257, 700}) {
      Bench bench(stored);
      T x = random_tensor({4, n}, 11, 5);
      for (float& v : *x.real) v = std::fabs(v) + 0.1F;
      RowsOp op{stored, RowFunction::softmax, bench.room(4 * n), bench.put(x), 4, n};
      bench.device->run(op);
      CHECK(off(bench.get(op.to, x.shape), softmax(x), stored) < kFew);
      op.function = RowFunction::normalise;
      bench.device->run(op);
      CHECK(off(bench.get(op.to, x.shape), normalised(x), stored) < kFew);
    }
}

TEST_CASE("device rotation: halves and pairs, a part of the columns, one or all positions", "[device]") {
  for (const Stored stored : kTypes)
    for (const bool interleaved : {false, true})
      for (const bool half : {false, true})
        for (const std::int64_t columns : {4, 6}) {
          Bench bench(stored);
          T x = random_tensor({2, 3, 5, 13}, 21);
          T c = random_tensor({1, 5, columns}, 22), s = random_tensor({1, 5, columns}, 23);
          RotateOp op{stored, bench.room(x.numel()), bench.put(x), bench.put(c), bench.put(s)};
          op.rows = x.rows();
          op.positions = op.known = 5;
          op.width = 13;
          op.columns = columns;
          op.interleaved = interleaved;
          op.half = half;
          bench.device->run(op);
          CHECK(off(bench.get(op.to, x.shape), rotated(x, c, s, {interleaved, half}), stored) < kFew);
        }
}

TEST_CASE("device elementwise: broadcasting, every function, look-ups, sums", "[device]") {
  for (const Stored stored : kTypes) {
    Bench bench(stored);
    T a = random_tensor({2, 1, 3, 5}, 31, 3), b = random_tensor({4, 1, 5}, 32, 3);
    BinaryOp op{stored,       BinaryFunction::mul, bench.room(120), bench.put(a),
                bench.put(b), {4, {2, 4, 3, 5}},   {{15, 0, 5, 1}}, {{0, 5, 0, 1}}};
    bench.device->run(op);
    CHECK(off(bench.get(op.to, {2, 4, 3, 5}), binary(Arithmetic::mul, a, b, Shape{2, 4, 3, 5}), stored) < kFew);

    T x = random_tensor({301}, 33, 4);
    const void* from = bench.put(x);
    const std::vector<std::pair<const char*, UnaryFunction>> named = {{"silu", UnaryFunction::silu},
                                                                      {"gelu", UnaryFunction::gelu},
                                                                      {"gelu_new", UnaryFunction::gelu_tanh},
                                                                      {"quick_gelu", UnaryFunction::quick_gelu},
                                                                      {"relu", UnaryFunction::relu},
                                                                      {"relu2", UnaryFunction::relu2},
                                                                      {"sigmoid", UnaryFunction::sigmoid},
                                                                      {"tanh", UnaryFunction::tanh},
                                                                      {"exp", UnaryFunction::exp},
                                                                      {"softplus", UnaryFunction::softplus},
                                                                      {"softcap", UnaryFunction::softcap},
                                                                      {"clamp", UnaryFunction::clamp}};
    for (const auto& [name, function] : named) {
      UnaryOp unary{stored, function, 2.5, bench.room(301), from, 301, {}};
      bench.device->run(unary);
      INFO(name);
      CHECK(off(bench.get(unary.to, x.shape), activated(x, name, 2.5, {}), stored) < kFew);
    }
    T positive = random_tensor({1}, 34), negative = random_tensor({1}, 35);
    UnaryOp own{
        stored, UnaryFunction::xielu, 0, bench.room(301), from, 301, {bench.put(positive), bench.put(negative)}};
    bench.device->run(own);
    CHECK(off(bench.get(own.to, x.shape), activated<float>(x, "xielu", 0, {&positive, &negative}), stored) < kFew);

    T table = random_tensor({7, 6}, 36);
    const T ids = random_ids({3, 4}, 12, 37);
    const std::vector<Range> held = {{2, 5}, {8, 12}};
    EmbeddingOp look{stored, bench.room(72), bench.put_ids(ids), bench.put(table), 12, 6, 7, 3, 2, {2, 8}, {5, 12}};
    bench.device->run(look);
    CHECK(off(bench.get(look.to, {3, 4, 6}), embedding(ids, table, 3, held), stored) < kFew);

    T sums = random_tensor({3, 9, 4}, 38);
    SumOp sum{stored, bench.room(12), bench.put(sums), 3, 9, 4};
    bench.device->run(sum);
    CHECK(off(bench.get(sum.to, {3, 4}), sum_over(sums, 1, false), stored) < kFew);
  }
}

TEST_CASE("device copies: any strides, elements of 2, 4 and 8 bytes", "[device]") {
  Bench bench(Stored::fp32);
  T x = random_tensor({2, 3, 4, 5}, 41);
  CopyOp op{bench.room(120), bench.put(x), 4, {4, {2, 4, 3, 5}}, {{60, 15, 5, 1}}, {{60, 5, 20, 1}}};
  bench.device->run(op);
  CHECK(*bench.get(op.to, {2, 4, 3, 5}).real == *transpose(x, 1, 2).real);
  const T ids = random_ids({6, 7}, 1 << 30, 42);
  CopyOp part{bench.room(12, 8), static_cast<const std::int64_t*>(bench.put_ids(ids)) + 7 + 2, 8, {2, {4, 3}}, {{3, 1}},
              {{7, 1}}};
  bench.device->run(part);
  CHECK(bench.get_whole<std::int64_t>(part.to, 12) == *slice(slice(ids, 0, {1, 5}), 1, {2, 5}).whole);
  Bench narrow(Stored::bf16);
  T y = random_tensor({5, 3}, 43);
  CopyOp turn{narrow.room(15), narrow.put(y), 2, {2, {3, 5}}, {{5, 1}}, {{1, 3}}};
  narrow.device->run(turn);
  CHECK(*narrow.get(turn.to, {3, 5}).real == *transpose(y, 0, 1).real);
}

TEST_CASE("device routing: the best experts, of the best groups; equal scores by index", "[device]") {
  for (const Stored stored : kTypes)
    for (const std::int64_t groups : {0, 4}) {
      Bench bench(stored);
      T scores = random_tensor({9, 40}, 51), choice = random_tensor({9, 40}, 52);
      for (float& v : *choice.real) v = std::round(std::fabs(v) * 20) / 20;  // many are equal
      TopkOp op{stored, bench.room(9 * 6), bench.room(9 * 6, 8), bench.put(scores), bench.put(choice), 9, 40, 6};
      op.groups = groups;
      op.keep_groups = 2;
      const T got = in_both_orders([&] {
        bench.device->run(op);
        return bench.get(op.weights, {9, 6});
      });
      // The CPU takes of equal scores those that torch takes there: a little less per column makes none equal.
      T unequal = choice;
      unequal.real = std::make_shared<std::vector<float>>(*choice.real);
      for (std::size_t i = 0; i < unequal.real->size(); ++i) (*unequal.real)[i] -= 1e-4F * static_cast<float>(i % 40);
      const auto expected = best_experts<float>(scores, &unequal, {6, groups, 2, 2, 0});
      CHECK(*got.real == *expected.weights.real);
      CHECK(bench.get_whole<std::int64_t>(op.indices, 54) == *expected.indices.whole);

      ScatterRoutesOp scatter{stored, bench.room(360), op.weights, op.indices, 9, 6, 40};
      bench.device->run(scatter);
      CHECK(*bench.get(scatter.to, {9, 40}).real == *scattered_routes(expected.weights, expected.indices, 40).real);
      OwnRoutesOp own{stored, bench.room(54), bench.room(54, 8), op.weights, op.indices, 9, 6, 10, 2, 0};
      bench.device->run(own);
      const auto mine = own_routes(expected.weights, expected.indices, 10, 2, false);
      CHECK(*bench.get(own.own_weights, {9, 6}).real == *mine.weights.real);
      CHECK(bench.get_whole<std::int64_t>(own.own_indices, 54) == *mine.indices.whole);
    }
}

namespace {

struct ExpertCase {
  std::int64_t tokens, experts, k, width, inner;
  ExpertLayout layout;
  bool biases = false;
  std::int64_t ids = 0;  // drawn below it; 0 = experts
};

double experts_off(const ExpertCase& c, Stored stored) {
  Bench bench(stored);
  const std::int64_t up = c.layout.gated ? 2 * c.inner : c.inner;
  const bool t = c.layout.transposed;
  T x = random_tensor({c.tokens, c.width}, 61),
    weights = random_tensor({c.tokens, c.layout.dense ? c.experts : c.k}, 62);
  T first = random_tensor(t ? Shape{c.experts, c.width, up} : Shape{c.experts, up, c.width}, 63, 0.5);
  T second = random_tensor(t ? Shape{c.experts, c.inner, c.width} : Shape{c.experts, c.width, c.inner}, 64, 0.5);
  T first_bias = random_tensor({c.experts, up}, 65), second_bias = random_tensor({c.experts, c.width}, 66);
  const T indices = random_ids({c.tokens, c.k}, c.ids == 0 ? c.experts : c.ids, 67);
  const void* ids = bench.put_ids(indices);
  const std::int64_t choices = c.tokens * c.k;
  SortRoutesOp sort;
  sort.order = static_cast<std::int32_t*>(bench.room(choices, 4));
  sort.places = static_cast<std::int32_t*>(bench.room(choices, 4));
  sort.offsets = static_cast<std::int32_t*>(bench.room(c.experts + 1, 4));
  sort.indices = ids;
  sort.choices = choices;
  sort.experts = c.experts;
  GatherRowsOp gather{
      stored, bench.room(choices * c.width), bench.put(x), sort.order, sort.offsets, choices, c.k, c.width, c.experts};
  GroupedProductOp one{stored,
                       bench.room(choices * up),
                       gather.to,
                       bench.put(first),
                       c.biases ? bench.put(first_bias) : nullptr,
                       sort.offsets,
                       choices,
                       up,
                       c.width,
                       c.experts,
                       t};
  const auto& name = c.layout.activation;
  const GateFunction gate = !c.layout.gated            ? GateFunction::plain
                            : name == "gpt_oss_swiglu" ? GateFunction::gpt_oss
                            : name == "clamped_silu"   ? GateFunction::clamped
                                                       : GateFunction::multiplied;
  GateOp act{stored,  gate, UnaryFunction::silu, bench.room(choices * c.inner), one.c,
             choices, up,   c.layout.limit,      c.layout.interleaved};
  GroupedProductOp two{stored,
                       bench.room(choices * c.width),
                       act.to,
                       bench.put(second),
                       c.biases ? bench.put(second_bias) : nullptr,
                       sort.offsets,
                       choices,
                       c.width,
                       c.inner,
                       c.experts,
                       t};
  CombineRowsOp join{
      stored,  bench.room(c.tokens * c.width), two.c, bench.put(weights), ids, sort.places, c.tokens, c.k,
      c.width, c.layout.dense ? c.experts : 0};
  const T got = in_both_orders([&] {
    bench.device->run(sort);
    bench.device->run(gather);
    bench.device->run(one);
    bench.device->run(act);
    bench.device->run(two);
    bench.device->run(join);
    return bench.get(join.to, x.shape);
  });
  const ExpertWeights<float> w{&first, &second, c.biases ? &first_bias : nullptr, c.biases ? &second_bias : nullptr};
  return off(got, experts(x, indices, weights, w, c.layout), stored);
}

}  // namespace

TEST_CASE("device experts: permuted rows, grouped products, gates and sums", "[device]") {
  ExpertLayout plain, gpt_oss, clamped, ungated;
  plain.activation = ungated.activation = "silu";
  gpt_oss.activation = "gpt_oss_swiglu";
  gpt_oss.interleaved = gpt_oss.transposed = gpt_oss.dense = true;
  clamped.activation = "clamped_silu";
  clamped.limit = 0.7;
  ungated.gated = false;
  for (const Stored stored : kTypes) {
    // products and gates round to the stored type in between, which the CPU's experts do not
    CHECK(experts_off({1, 4, 2, 8, 8, plain}, stored) < 4 * kFew);
    CHECK(experts_off({23, 5, 3, 20, 12, plain, true}, stored) < 4 * kFew);
    CHECK(experts_off({90, 3, 2, 40, 33, plain, false, 4}, stored) < 4 * kFew);
    CHECK(experts_off({17, 6, 2, 16, 24, gpt_oss, true}, stored) < 4 * kFew);
    CHECK(experts_off({9, 4, 2, 12, 10, clamped}, stored) < 4 * kFew);
    CHECK(experts_off({9, 4, 2, 12, 10, ungated}, stored) < 4 * kFew);
  }
}

TEST_CASE("device emulation: a barrier that not all threads reach is an error", "[device]") {
  const auto diverging = [] {
    if (threadIdx.x < 10) __syncthreads();
  };
  CHECK_THROWS_WITH(cuda::emulation::run(dim3(1), 64, 0, diverging), Catch::Contains("do not meet"));
  const auto meeting = [] {
    __syncthreads();
    CHECK(__shfl_xor_sync(~0u, threadIdx.x, 1u) == (threadIdx.x ^ 1u));
  };
  CHECK_NOTHROW(cuda::emulation::run(dim3(2), 64, 0, meeting));
}

}  // namespace tpsim::exec
