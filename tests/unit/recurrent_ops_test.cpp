#include "core/recurrent_ops.h"

#include "core/grouped_ops.h"
#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {
namespace {

// Two sequences of 6 positions, 32 channels, filters of 4.
const Shape kTokens{2, 6, 32};
const Shape kChannels{2, 32, 6};
const Shape kFilters{32, 1, 4};

// 8 value heads of 16, keys of 12: the inputs of a gated delta rule, cut at `dim` of each or whole (-1).
struct DeltaInputs {
  TensorState v, q, k, g, beta;
  DeltaInputs(Ranks& on, int dim, std::int64_t key_heads = 8) {
    const auto laid = [&](const Shape& s) { return dim < 0 ? on.whole(s) : on.cut(s, dim); };
    v = laid({2, 6, 8, 16});
    q = laid({2, 6, key_heads, 12});
    k = q;
    g = laid({2, 6, 8});
    beta = g;
  }
  std::vector<const TensorState*> all() const { return {&v, &q, &k, &g, &beta}; }
};

TensorState delta(Ranks& on, const DeltaInputs& inputs) { return scan(on.m, *find_scan("gated_delta"), inputs.all()); }

}  // namespace

TEST_CASE("causal_conv: channels and filters split alike stay split", "[recurrent_ops]") {
  Ranks on(2);
  const TensorState bias = on.cut({32}, 0);
  const TensorState out = causal_conv(on.m, on.cut(kChannels, 1), on.cut(kFilters, 0), &bias);
  CHECK(out.local.at(1) == Shape{2, 16, 6});
  CHECK(is_cut(out, 1));
}

TEST_CASE("causal_conv: whole channels meet split filters: the run stops", "[recurrent_ops]") {
  Ranks on(2);
  causal_conv(on.m, on.whole(kChannels), on.cut(kFilters, 0), nullptr);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("causal_conv: a fixed number of channels meets split ones: the run stops", "[recurrent_ops]") {
  Ranks on(2);
  causal_conv(on.m, on.cut(kChannels, 1), on.whole(kFilters), nullptr, 32);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("causal_conv: split channels meet whole filters, another split or a whole bias: wrong", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(on.code(causal_conv(on.m, on.cut(kChannels, 1), on.whole(kFilters), nullptr)) == "TP108");
  CHECK(on.code(causal_conv(on.m, on.cut(kChannels, 1), on.cut(kFilters, 0, 2), nullptr)) == "TP108");
}

TEST_CASE("causal_conv: needs all positions", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(on.code(causal_conv(on.m, on.cut(kChannels, 2), on.whole(kFilters), nullptr)) == "TP108");
}

TEST_CASE("causal_conv: partial sums pass without a bias only", "[recurrent_ops]") {
  Ranks on(2);
  const TensorState bias = on.whole({32});
  const TensorState weight = on.whole(kFilters);
  CHECK(causal_conv(on.m, on.partial(kChannels), weight, nullptr).layout.content == Content::partial);
  CHECK(on.code(causal_conv(on.m, on.partial(kChannels), weight, &bias)) == "TP112");
}

TEST_CASE("scan: heads split alike stay split", "[recurrent_ops]") {
  Ranks on(2);
  const TensorState out = delta(on, DeltaInputs(on, 2));
  CHECK(out.local.at(0) == Shape{2, 6, 4, 16});
  CHECK(is_cut(out, 2));
}

TEST_CASE("scan: fewer key heads serve the value heads of their rank", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(is_cut(delta(on, DeltaInputs(on, 2, 4)), 2));
  DeltaInputs mixed(on, 2, 4);
  mixed.q = on.cut({2, 6, 4, 12}, 2, 2);  // rank 0 holds key heads 0 and 2
  CHECK(on.code(delta(on, mixed)) == "TP109");
}

TEST_CASE("scan: whole gates of split heads stop the run", "[recurrent_ops]") {
  Ranks on(2);
  DeltaInputs mixed(on, 2);
  mixed.beta = on.whole({2, 6, 8});
  delta(on, mixed);
  CHECK(on.fault() == "TP109");
}

TEST_CASE("scan: split positions, partial sums and multiples are wrong", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(on.code(delta(on, DeltaInputs(on, 1))) == "TP108");
  DeltaInputs summed(on, -1);
  summed.v = on.partial({2, 6, 8, 16});
  CHECK(on.code(delta(on, summed)) == "TP106");
  DeltaInputs doubled(on, -1);
  doubled.g = on.scaled({2, 6, 8}, 2);
  CHECK(on.code(delta(on, doubled)) == "TP107");
}

TEST_CASE("scan: one shared group serves split channels", "[recurrent_ops]") {
  Ranks on(4);
  const TensorState x = on.cut({2, 6, 8, 16}, 2), dt = on.cut({2, 6, 8}, 2), a = on.cut({8}, 0);
  const TensorState shared = on.whole({2, 6, 1, 5});
  const TensorState out = scan(on.m, *find_scan("ssm"), {&x, &dt, &a, &shared, &shared});
  CHECK(out.local.at(3) == Shape{2, 6, 2, 16});
  CHECK(is_cut(out, 2));
}

TEST_CASE("scan: a recurrence of three numbers a channel takes decays that are split alike", "[recurrent_ops]") {
  Ranks on(2);
  const TensorState v = on.cut(kTokens, 2), decay = on.cut({32}, 0), whole = on.whole({32});
  const TensorState out = scan(on.m, *find_scan("wkv"), {&v, &v, &decay, &decay});
  CHECK(is_cut(out, 2));
  CHECK(on.trace.cache_bytes == storage_bytes(on.m.workload().kv_cache, Shape{2, 16, 3}));
  scan(on.m, *find_scan("wkv"), {&v, &v, &whole, &decay});
  CHECK(on.fault() == "TP109");
}

TEST_CASE("previous: channels may be split, positions may not", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(is_cut(previous(on.m, on.cut(kTokens, 2)), 2));
  CHECK(on.trace.cache_bytes == storage_bytes(on.m.workload().kv_cache, Shape{2, 1, 16}));
  CHECK(previous(on.m, on.partial(kTokens)).layout.content == Content::partial);
  CHECK(on.code(previous(on.m, on.cut(kTokens, 1))) == "TP108");
}

TEST_CASE("scan and causal_conv: the kept state is this rank's and does not grow", "[recurrent_ops]") {
  Ranks on(2);
  delta(on, DeltaInputs(on, 2));
  const std::int64_t state = 2 * 4 * 16 * 12;  // sequences, heads, value and key columns
  CHECK(on.trace.cache_bytes == storage_bytes(on.m.workload().kv_cache, Shape{state}));
  CHECK(on.trace.operations.back().flops == 7.0 * state * 6);
  causal_conv(on.m, on.cut(kChannels, 1), on.cut(kFilters, 0), nullptr);
  CHECK(on.trace.cache_bytes == storage_bytes(on.m.workload().kv_cache, Shape{state + 2 * 16 * 4}));
  CHECK(on.trace.cache_bytes_per_position == 0);
}

TEST_CASE("sum_over: over a split dimension gives partial sums", "[recurrent_ops]") {
  Ranks on(2);
  CHECK(sum_over(on.m, on.cut({2, 6, 8}, 2), -1, true).layout.content == Content::partial);
  const TensorState out = sum_over(on.m, on.cut({2, 6, 8, 4}, 3), 2, false);
  CHECK(out.local.at(0) == Shape{2, 6, 2});
  CHECK(is_cut(out, 2));
}

}  // namespace tpsim
