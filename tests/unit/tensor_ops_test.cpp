#include "core/tensor_ops.h"

#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {

TEST_CASE("add: whole tensors stay whole", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_whole(binary(on.m, Binary::add, on.whole({2, 3, 8}), on.whole({8}))));
}

TEST_CASE("add: partial sums add up among themselves only", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_partial(binary(on.m, Binary::add, on.partial({4, 8}), on.partial({4, 8}))));
  CHECK(on.code(binary(on.m, Binary::add, on.partial({4, 8}), on.whole({4, 8}))) == "TP106");
  CHECK(on.code(binary(on.m, Binary::sub, on.whole({4, 8}), on.partial({4, 8}))) == "TP106");
}

TEST_CASE("mul: partial sums times a whole factor stay partial", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_partial(binary(on.m, Binary::mul, on.partial({4, 8}), on.whole({4, 1}))));
  CHECK(is_partial(binary(on.m, Binary::div, on.partial({4, 8}), on.whole({4, 1}))));
  CHECK(on.code(binary(on.m, Binary::div, on.whole({4, 8}), on.partial({4, 8}))) == "TP106");
  CHECK(on.code(binary(on.m, Binary::mul, on.partial({4, 8}), on.partial({4, 8}))) == "TP106");
}

TEST_CASE("mul: equal shards meet, different ones do not", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_cut(binary(on.m, Binary::mul, on.cut({4, 16}, 1), on.cut({4, 16}, 1)), 1));
  CHECK(on.code(binary(on.m, Binary::mul, on.cut({4, 16}, 1), on.cut({4, 16}, 1, 2))) == "TP108");
}

TEST_CASE("mul: a shard broadcasts with extent 1 of a whole tensor", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_cut(binary(on.m, Binary::mul, on.cut({4, 16}, 1), on.whole({4, 1})), 1));
  CHECK(is_cut(binary(on.m, Binary::mul, on.whole({4, 1}), on.cut({4, 16}, 1)), 1));
}

TEST_CASE("add: a shard and a whole tensor are a shape fault, as in torch", "[tensor_ops]") {
  Ranks on(2);
  binary(on.m, Binary::add, on.cut({4, 16}, 1), on.whole({4, 16}));
  CHECK(on.fault() == "TP108");
  CHECK(on.m.fault().message.find("(8) must match the size of tensor b (16)") != std::string::npos);
}

TEST_CASE("add: a sum of a doubled and a plain tensor is wrong, a product is doubled", "[tensor_ops]") {
  Ranks on(2);
  CHECK(on.code(binary(on.m, Binary::add, on.scaled({4}, 2), on.whole({4}))) == "TP107");
  CHECK(binary(on.m, Binary::add, on.scaled({4}, 2), on.scaled({4}, 2)).layout.scale == 2);
  CHECK(binary(on.m, Binary::mul, on.scaled({4}, 2), on.scaled({4}, 3)).layout.scale == 6);
  CHECK(binary(on.m, Binary::div, on.scaled({4}, 2), on.scaled({4}, 4)).layout.scale == 0.5);
}

TEST_CASE("elementwise: a split parameter without wrapper meets a plain tensor", "[tensor_ops]") {
  Ranks on(2);
  binary(on.m, Binary::mul, on.whole({4, 8}), on.distributed(on.whole({8})));
  CHECK(on.fault() == "TP120");
}

TEST_CASE("nonlinear: needs complete, unscaled values", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_cut(nonlinear(on.m, on.cut({4, 8}, 1), "silu"), 1));
  CHECK(on.code(nonlinear(on.m, on.partial({4, 8}), "silu")) == "TP106");
  CHECK(on.code(nonlinear(on.m, on.scaled({4, 8}, 2), "silu")) == "TP107");
}

TEST_CASE("linear_map: multiplies the scale and keeps partial sums", "[tensor_ops]") {
  Ranks on(2);
  const TensorState halved = linear_map(on.m, on.partial({4, 8}), 0.5, "div");
  CHECK(is_partial(halved));
  CHECK(halved.layout.scale == 0.5);
}

TEST_CASE("softmax: runs over the last dimension, which must not be split", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_cut(softmax(on.m, on.cut({4, 8}, 0)), 0));
  CHECK(on.code(softmax(on.m, on.cut({4, 8}, 1))) == "TP108");
  CHECK(on.code(softmax(on.m, on.partial({4, 8}))) == "TP106");
}

TEST_CASE("norm: takes a common factor out, and needs all features", "[tensor_ops]") {
  Ranks on(2);
  const TensorState weight = on.whole({8});
  CHECK(is_whole(normalise(on.m, on.scaled({4, 8}, 2), &weight, nullptr, false)));
  CHECK(is_cut(normalise(on.m, on.cut({4, 8}, 0), &weight, nullptr, false), 0));
  CHECK(on.code(normalise(on.m, on.partial({4, 8}), &weight, nullptr, false)) == "TP106");
  CHECK(on.code(normalise(on.m, on.cut({4, 8}, 1), nullptr, nullptr, false)) == "TP125");
}

TEST_CASE("norm: a split weight meets whole features as a shape fault", "[tensor_ops]") {
  Ranks on(2);
  const TensorState weight = on.cut({8}, 0);
  normalise(on.m, on.whole({4, 8}), &weight, nullptr, false);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("norm: torch's LayerNorm insists on the extent it was built with", "[tensor_ops]") {
  Ranks on(2);
  const TensorState weight = on.whole({8});
  normalise(on.m, on.cut({4, 8}, 1), &weight, nullptr, true);
  CHECK(on.fault() == "TP108");
  CHECK(on.m.fault().library.find("normalized_shape=[8]") != std::string::npos);
}

TEST_CASE("linear: column-split weight gives split features, row-split one partial sums", "[tensor_ops]") {
  Ranks on(2);
  const TensorState columns = linear(on.m, on.whole({3, 8}), on.cut({16, 8}, 0), nullptr);
  CHECK(is_cut(columns, 1));
  CHECK(columns.local.at(1) == Shape{3, 8});
  const TensorState sums = linear(on.m, columns, on.cut({8, 16}, 1), nullptr);
  CHECK(is_partial(sums));
  CHECK(sums.local.at(0) == Shape{3, 8});
}

TEST_CASE("linear: GPT-2's weights lie the other way round", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_cut(linear(on.m, on.whole({3, 8}), on.cut({8, 16}, 1), nullptr, true), 1));
  CHECK(is_partial(linear(on.m, on.cut({3, 8}, 1), on.cut({8, 16}, 0), nullptr, true)));
}

TEST_CASE("linear: uneven columns per rank", "[tensor_ops]") {
  Ranks on(3);
  const TensorState columns = linear(on.m, on.whole({3, 8}), on.cut({16, 8}, 0), nullptr);
  CHECK(columns.local.at(0) == Shape{3, 6});
  CHECK(columns.local.at(2) == Shape{3, 4});
  CHECK(on.trace.operations.back().n == 6);
}

TEST_CASE("linear: what does not fit is a fault with torch's words", "[tensor_ops]") {
  Ranks on(2);
  linear(on.m, on.cut({3, 8}, 1), on.whole({16, 8}), nullptr);
  CHECK(on.fault() == "TP108");
  CHECK(on.m.fault().library == "mat1 and mat2 shapes cannot be multiplied (3x4 and 8x16)");
}

TEST_CASE("linear: input features in another order than the weight's are wrong", "[tensor_ops]") {
  Ranks on(2);
  CHECK(on.code(linear(on.m, on.cut({3, 8}, 1, 2), on.cut({16, 8}, 1), nullptr)) == "TP105");
}

TEST_CASE("linear: partial sums enter a whole weight, not a column-split one", "[tensor_ops]") {
  Ranks on(2);
  CHECK(is_partial(linear(on.m, on.partial({3, 8}), on.whole({16, 8}), nullptr)));
  CHECK(on.code(linear(on.m, on.partial({3, 8}), on.cut({16, 8}, 0), nullptr)) == "TP106");
}

TEST_CASE("linear: a whole bias on partial sums counts once per rank", "[tensor_ops]") {
  Ranks on(2);
  const TensorState bias = on.whole({8}), split = on.cut({8}, 0);
  CHECK(on.code(linear(on.m, on.cut({3, 16}, 1), on.cut({8, 16}, 1), &bias)) == "TP112");
  CHECK(is_cut(linear(on.m, on.whole({3, 16}), on.cut({8, 16}, 0), &split), 1));
  const TensorState shared = on.scaled({8}, 0.5);
  CHECK(is_partial(linear(on.m, on.cut({3, 16}, 1), on.cut({8, 16}, 1), &shared)));
}

TEST_CASE("linear: a bias packed in other blocks than the weight is wrong", "[tensor_ops]") {
  Ranks on(2);
  const TensorState bias = on.cut({8}, 0);
  CHECK(on.code(linear(on.m, on.whole({3, 16}), on.cut({8, 16}, 0, 2), &bias)) == "TP105");
}

TEST_CASE("linear: records the heaviest rank's product", "[tensor_ops]") {
  Ranks on(2);
  linear(on.m, on.whole({2, 3, 8}), on.cut({16, 8}, 0), nullptr);
  const Operation& op = on.trace.operations.back();
  CHECK(op.kind == OperationKind::gemm);
  CHECK(op.m == 6);
  CHECK(op.n == 8);
  CHECK(op.k == 8);
  CHECK(op.flops == 2.0 * 6 * 8 * 8);
  CHECK(op.weight_bytes == 2 * 8 * 8);
}

TEST_CASE("linear: a DTensor weight cut along its inputs cuts the replicated input itself", "[tensor_ops]") {
  Ranks on(2);
  const TensorState x = on.distributed(on.whole({3, 8}));
  CHECK(is_partial(linear(on.m, x, on.distributed(on.cut({16, 8}, 1)), nullptr)));
}

TEST_CASE("embedding: vocabulary-split tables give partial sums, feature-split ones split features", "[tensor_ops]") {
  Ranks on(2);
  TensorState masked = on.ids({2, 3});
  masked.elements = Elements::masked_routing;
  CHECK(is_partial(embedding(on.m, masked, on.cut({10, 8}, 0))));
  CHECK(is_cut(embedding(on.m, on.ids({2, 3}), on.cut({10, 8}, 1)), 2));
  CHECK(is_whole(embedding(on.m, on.ids({2, 3}), on.whole({10, 8}))));
}

TEST_CASE("embedding: unmasked ids run out of a split table", "[tensor_ops]") {
  Ranks on(2);
  embedding(on.m, on.ids({2, 3}), on.cut({10, 8}, 0));
  CHECK(on.fault() == "TP123");
}

TEST_CASE("embedding: features are no ids", "[tensor_ops]") {
  Ranks on(2);
  embedding(on.m, on.whole({2, 3}), on.whole({10, 8}));
  CHECK(on.fault() == "TP121");
}

TEST_CASE("wrong: the first cause stays with everything that follows", "[tensor_ops]") {
  Ranks on(2);
  const TensorState bad = nonlinear(on.m, on.partial({4, 8}), "silu");
  const TensorState later = linear(on.m, softmax(on.m, bad), on.whole({8, 8}), nullptr);
  CHECK(later.layout.cause == bad.layout.cause);
  CHECK(on.m.causes().size() == 1);
}

}  // namespace tpsim
