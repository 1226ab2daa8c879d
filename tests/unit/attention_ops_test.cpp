#include "core/attention_ops.h"

#include "core/grouped_ops.h"
#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {
namespace {

// Two sequences of 6 tokens, heads of 16.
Shape heads(std::int64_t n) { return Shape{2, n, 6, 16}; }

AttentionNumbers grouped(std::int64_t groups) {
  AttentionNumbers numbers;
  numbers.groups = groups;
  return numbers;
}

// 4 experts, 8 features in, 12 inside.
struct Experts {
  TensorState gate_up, down;
  ExpertTensors tensors() const {
    ExpertTensors t;
    t.gate_up = &gate_up;
    t.down = &down;
    return t;
  }
};

TensorState routed(Ranks& on, bool masked = false) {
  TensorState indices = on.whole({10, 2});
  indices.elements = masked ? Elements::masked_routing : Elements::routing;
  return indices;
}

TensorState run(Ranks& on, const Experts& e, bool masked = false) {
  return experts(on.m, on.whole({10, 8}), routed(on, masked), on.whole({10, 2}), e.tensors());
}

}  // namespace

TEST_CASE("rope: split heads pass, split positions or columns are wrong", "[attention_ops]") {
  Ranks on(2);
  const TensorState angles = on.whole({1, 6, 16});
  CHECK(is_cut(rope(on.m, on.cut(heads(8), 1), angles, angles), 1));
  CHECK(on.code(rope(on.m, on.cut({2, 8, 6, 32}, 3), angles, angles)) == "TP102");
  CHECK(on.code(rope(on.m, on.whole(heads(8)), on.scaled({1, 6, 16}, 2), angles)) == "TP107");
}

TEST_CASE("rope: positions of other tokens stop the run", "[attention_ops]") {
  Ranks on(2);
  const TensorState angles = on.whole({1, 6, 16});
  rope(on.m, on.cut(heads(8), 2), angles, angles);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("attention: heads split alike give split heads", "[attention_ops]") {
  Ranks on(2);
  const TensorState out =
      attention(on.m, on.cut(heads(8), 1), on.cut(heads(4), 1), on.cut(heads(4), 1), {}, grouped(2));
  CHECK(out.local.at(0) == Shape{2, 6, 4, 16});
  CHECK(is_cut(out, 2));
}

TEST_CASE("attention: kv heads of another group are found", "[attention_ops]") {
  Ranks on(2);
  // Query heads 0-3 belong to key heads 0 and 1; cut in blocks, rank 0 holds key heads 0 and 2.
  const TensorState k = on.cut(heads(4), 1, 2);
  CHECK(on.code(attention(on.m, on.cut(heads(8), 1), k, k, {}, grouped(2))) == "TP109");
}

TEST_CASE("attention: whole kv heads under split query heads do not fit", "[attention_ops]") {
  Ranks on(2);
  const TensorState k = on.whole(heads(4));
  attention(on.m, on.cut(heads(8), 1), k, k, {}, grouped(2));
  CHECK(on.fault() == "TP109");
}

TEST_CASE("attention: one kv head for all serves every rank's query heads", "[attention_ops]") {
  Ranks on(2);
  const TensorState k = on.whole(heads(1));
  const TensorState out = attention(on.m, on.cut(heads(8), 1), k, k, {}, grouped(1));
  CHECK(is_cut(out, 2));
}

TEST_CASE("attention: partial sums and scaled scores are wrong, scaled values only scale", "[attention_ops]") {
  Ranks on(2);
  const TensorState x = on.whole(heads(4));
  CHECK(on.code(attention(on.m, on.partial(heads(4)), x, x, {}, grouped(1))) == "TP106");
  CHECK(on.code(attention(on.m, x, on.scaled(heads(4), 2), x, {}, grouped(1))) == "TP107");
  CHECK(attention(on.m, x, x, on.scaled(heads(4), 2), {}, grouped(1)).layout.scale == 2);
}

TEST_CASE("attention: sinks must be split as the query heads are", "[attention_ops]") {
  Ranks on(2);
  const TensorState q = on.cut(heads(8), 1), k = on.cut(heads(4), 1);
  const TensorState split = on.cut({8}, 0), whole = on.whole({8});
  CHECK(is_cut(attention(on.m, q, k, k, {&split, nullptr}, grouped(2)), 2));
  attention(on.m, q, k, k, {&whole, nullptr}, grouped(2));
  CHECK(on.fault() == "TP108");
}

TEST_CASE("attention: counts the pairs that the causal mask and the window leave", "[attention_ops]") {
  const auto flops = [](std::int64_t past, std::int64_t tokens, std::int64_t window) {
    Workload workload;
    workload.past = past;
    Ranks on(1, kNewestDialect, workload);
    const TensorState q = on.whole({1, 1, tokens, 16});
    AttentionNumbers numbers;
    numbers.window = window;
    attention(on.m, q, q, q, {}, numbers);
    return on.trace.operations.back().flops;
  };
  // 2 flops for each of 16 + 16 columns, per pair of query and key.
  CHECK(flops(0, 6, 0) == 64 * (1 + 2 + 3 + 4 + 5 + 6));
  CHECK(flops(10, 1, 0) == 64 * 11);
  CHECK(flops(10, 1, 4) == 64 * 4);
  CHECK(flops(0, 6, 2) == 64 * (1 + 2 + 2 + 2 + 2 + 2));
  CHECK(flops(2, 3, 0) == 64 * (3 + 4 + 5));
}

TEST_CASE("attention: the cache holds keys and values, no more than the window, or latents", "[attention_ops]") {
  const auto cache = [](AttentionNumbers numbers) {
    Workload workload;
    workload.past = 10;
    Ranks on(2, kNewestDialect, workload);
    const TensorState q = on.cut(heads(8), 1), k = on.cut(heads(4), 1);
    numbers.groups = 2;
    attention(on.m, q, k, k, {}, numbers);
    return on.trace.cache_bytes;
  };
  AttentionNumbers full, window, latent;
  window.window = 5;
  latent.latent_cache_width = 24;
  // 2 sequences, 16 positions, 2 kv heads a rank, keys and values of 16, 2 bytes each.
  CHECK(cache(full) == 2 * 16 * 2 * (16 + 16) * 2);
  CHECK(cache(window) == 2 * 5 * 2 * (16 + 16) * 2);
  CHECK(cache(latent) == 2 * 16 * 24 * 2);
}

TEST_CASE("topk_route: needs complete scores of all experts", "[attention_ops]") {
  Ranks on(2);
  const auto [weights, indices] = topk_route(on.m, on.whole({10, 4}), 2);
  CHECK(weights.ideal == Shape{10, 2});
  CHECK(is_whole(weights));
  CHECK(indices.elements == Elements::routing);
  CHECK(on.code(topk_route(on.m, on.cut({10, 4}, 1), 2).first) == "TP108");
  CHECK(on.code(topk_route(on.m, on.partial({10, 4}), 2).first) == "TP108");
  CHECK(on.code(topk_route(on.m, on.scaled({10, 4}, 2), 2).first) == "TP107");
  topk_route(on.m, on.cut({10, 4}, 1), 3);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("experts: packed gate and up with row-split down give partial sums", "[attention_ops][experts]") {
  Ranks on(2);
  CHECK(is_partial(run(on, {on.cut({4, 24, 8}, 1, 2), on.cut({4, 8, 12}, 2)})));
  REQUIRE(on.trace.operations.size() == 2);
  const Operation& up = on.trace.operations.front();
  CHECK(up.kind == OperationKind::grouped_gemm);
  CHECK(up.m == 20);
  CHECK(up.n == 12);
  CHECK(up.experts == 4);
}

TEST_CASE("experts: plain shards of fused gate and up do not match", "[attention_ops][experts]") {
  Ranks on(2);
  CHECK(on.code(run(on, {on.cut({4, 24, 8}, 1), on.cut({4, 8, 12}, 2)})) == "TP105");
}

TEST_CASE("experts: interleaved gate and up match in plain shards", "[attention_ops][experts]") {
  Ranks on(2);
  const Experts e{on.cut({4, 24, 8}, 1), on.cut({4, 8, 12}, 2)};
  ExpertTensors t = e.tensors();
  t.interleaved = true;
  CHECK(is_partial(experts(on.m, on.whole({10, 8}), routed(on), on.whole({10, 2}), t)));
}

TEST_CASE("experts: whole experts on different ranks need masked routes", "[attention_ops][experts]") {
  Ranks on(2);
  const Experts split{on.cut({4, 24, 8}, 0), on.cut({4, 8, 12}, 0)};
  CHECK(is_partial(run(on, split, true)));
  CHECK(on.code(run(on, split, false)) == "TP113");
  CHECK(on.code(run(on, {on.whole({4, 24, 8}), on.whole({4, 8, 12})}, true)) == "TP113");
  CHECK(is_whole(run(on, {on.whole({4, 24, 8}), on.whole({4, 8, 12})}, false)));
}

TEST_CASE("experts: a rank with half of the experts does half of the rows", "[attention_ops][experts]") {
  Ranks on(2);
  run(on, {on.cut({4, 24, 8}, 0), on.cut({4, 8, 12}, 0)}, true);
  CHECK(on.trace.operations.front().experts == 2);
  CHECK(on.trace.operations.front().m == 10);
}

TEST_CASE("experts: a whole bias of the second product counts once per rank", "[attention_ops][experts]") {
  Ranks on(2);
  const Experts e{on.cut({4, 24, 8}, 1, 2), on.cut({4, 8, 12}, 2)};
  const TensorState whole = on.whole({4, 8}), shared = on.scaled({4, 8}, 0.5);
  ExpertTensors t = e.tensors();
  t.down_bias = &whole;
  CHECK(on.code(experts(on.m, on.whole({10, 8}), routed(on), on.whole({10, 2}), t)) == "TP112");
  t.down_bias = &shared;
  CHECK(is_partial(experts(on.m, on.whole({10, 8}), routed(on), on.whole({10, 2}), t)));
}

TEST_CASE("experts: products that do not fit stop the run", "[attention_ops][experts]") {
  Ranks on(2);
  run(on, {on.cut({4, 24, 8}, 1, 2), on.whole({4, 8, 12})});
  CHECK(on.fault() == "TP108");
}

TEST_CASE("bmm: batches, inner and outer features may be split", "[grouped_ops]") {
  Ranks on(2);
  CHECK(is_cut(bmm(on.m, on.cut({4, 6, 8}, 0), on.cut({4, 8, 10}, 0)), 0));
  CHECK(is_partial(bmm(on.m, on.cut({4, 6, 8}, 2), on.cut({4, 8, 10}, 1))));
  CHECK(is_cut(bmm(on.m, on.whole({4, 6, 8}), on.cut({4, 8, 10}, 2)), 2));
  CHECK(is_partial(bmm(on.m, on.partial({4, 6, 8}), on.whole({4, 8, 10}))));
  CHECK(on.trace.operations.back().flops == 2.0 * 4 * 6 * 8 * 10);
  CHECK(on.code(bmm(on.m, on.cut({4, 6, 8}, 2), on.cut({4, 8, 10}, 1, 2))) == "TP108");
  bmm(on.m, on.cut({4, 6, 8}, 0), on.whole({4, 8, 10}));
  CHECK(on.fault() == "TP108");
}

TEST_CASE("repeat_rows, split_rows, sum_groups: tokens to experts and back", "[grouped_ops]") {
  Ranks on(2);
  const TensorState x = on.whole({10, 8}), scores = on.whole({10, 4}), weights = on.whole({4, 8, 6});
  const TensorState repeated = repeat_rows(on.m, x, scores);
  CHECK(repeated.ideal == Shape{40, 8});
  const TensorState grouped_rows = split_rows(on.m, repeated, weights);
  CHECK(grouped_rows.ideal == Shape{4, 10, 8});
  CHECK(sum_groups(on.m, grouped_rows, scores).same_state(x));
}

TEST_CASE("split_by_size: a shard gives fewer pieces than the code unpacks", "[grouped_ops]") {
  Ranks on(2);
  CHECK(split_by_size(on.m, on.whole({3, 20}), -1, 8, 3).back().ideal == Shape{3, 4});
  split_by_size(on.m, on.cut({3, 24}, 1), -1, 8, 3);
  CHECK(on.fault() == "TP105");
}

TEST_CASE("repeat_heads: split heads stay with their rank", "[grouped_ops]") {
  Ranks on(2);
  const TensorState k = repeat_heads(on.m, on.cut(heads(4), 1), 2);
  CHECK(k.local.at(0) == heads(4));
  CHECK(on.ranges(k, 1) == std::vector<Range>{{4, 8}});
}

TEST_CASE("opaque: what is not modelled needs whole inputs", "[grouped_ops]") {
  Ranks on(2);
  const TensorState x = on.whole({3, 8}), split = on.cut({3, 8}, 1), sums = on.partial({3, 8});
  CHECK(is_whole(opaque(on.m, "scan", x, {&x})));
  CHECK(on.code(opaque(on.m, "scan", x, {&split})) == "TP108");
  CHECK(on.code(opaque(on.m, "scan", x, {&sums})) == "TP106");
}

}  // namespace tpsim
