#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {
namespace {

using Ranges = std::vector<Range>;

}  // namespace

TEST_CASE("view_heads: split features become split heads", "[shape_ops]") {
  Ranks on(2);
  const TensorState heads = view_heads(on.m, on.cut({2, 3, 64}, 2), 16);
  CHECK(heads.local.at(0) == Shape{2, 3, 2, 16});
  CHECK(is_cut(heads, 2));
  CHECK(on.ranges(heads, 1) == Ranges{{2, 4}});
}

TEST_CASE("view_heads: a shard that is no whole number of heads stops the run", "[shape_ops]") {
  Ranks on(4);
  view_heads(on.m, on.cut({2, 3, 32}, 2), 16);
  CHECK(on.fault() == "TP102");
  CHECK(on.m.fault().library == "shape '[2, 3, -1, 16]' is invalid for input of size 48");
}

TEST_CASE("view_heads: a shard that ends inside a head is wrong though its size fits", "[shape_ops]") {
  Ranks on(2);
  // Rank 0 holds 16 features, four pieces of 4 of either head.
  CHECK(on.code(view_heads(on.m, on.cut({2, 3, 32}, 2, chunked(32, 2, 4)), 16)) == "TP102");
}

TEST_CASE("merge_heads: undoes view_heads", "[shape_ops]") {
  Ranks on(2);
  const TensorState x = on.cut({2, 3, 64}, 2);
  CHECK(merge_heads(on.m, view_heads(on.m, x, 16)).same_state(x));
}

TEST_CASE("flatten_tokens, unflatten_tokens: features stay split", "[shape_ops]") {
  Ranks on(2);
  const TensorState x = on.cut({2, 3, 64}, 2);
  const TensorState flat = flatten_tokens(on.m, x);
  CHECK(flat.local.at(0) == Shape{6, 32});
  CHECK(is_cut(flat, 1));
  CHECK(unflatten_tokens(on.m, flat, x).same_state(x));
}

TEST_CASE("flatten_tokens: a split sequence interleaves in the flattened tokens", "[shape_ops]") {
  Ranks on(2);
  const TensorState flat = flatten_tokens(on.m, on.cut({2, 4, 8}, 1));
  CHECK(is_cut(flat, 0));
  CHECK(on.ranges(flat, 0) == Ranges{{0, 2}, {4, 6}});
  CHECK(on.code(unflatten_tokens(on.m, flat, on.cut({2, 4, 8}, 1))) == "TP108");
}

TEST_CASE("transpose: the split dimension moves along", "[shape_ops]") {
  Ranks on(2);
  const TensorState t = transpose(on.m, on.cut({2, 3, 4, 16}, 2), 1, 2);
  CHECK(t.local.at(0) == Shape{2, 2, 3, 16});
  CHECK(is_cut(t, 1));
}

TEST_CASE("reshape: sizes of the whole model do not fit a shard", "[shape_ops]") {
  Ranks on(2);
  reshape(on.m, on.cut({2, 3, 64}, 2), {0, 0, 4, 16});
  CHECK(on.fault() == "TP109");
  CHECK(on.m.fault().library == "shape '[2, 3, 4, 16]' is invalid for input of size 192");
}

TEST_CASE("reshape: an inferred extent follows the shard", "[shape_ops]") {
  Ranks on(2);
  const TensorState heads = reshape(on.m, on.cut({2, 3, 64}, 2), {0, 0, -1, 16});
  CHECK(is_cut(heads, 2));
  CHECK(heads.local.at(1) == Shape{2, 3, 2, 16});
}

TEST_CASE("unsqueeze, squeeze: later dimensions shift", "[shape_ops]") {
  Ranks on(2);
  const TensorState x = on.cut({2, 8}, 1);
  const TensorState wider = unsqueeze(on.m, x, 1);
  CHECK(is_cut(wider, 2));
  CHECK(squeeze(on.m, wider, 1).same_state(x));
  CHECK(squeeze(on.m, x, 0).same_state(x));
}

TEST_CASE("expand: one head for all becomes split heads of those it is laid over", "[shape_ops]") {
  Ranks on(2);
  const TensorState k = expand(on.m, on.whole({2, 1, 3, 16}), on.cut({2, 4, 3, 8}, 1));
  CHECK(k.ideal == Shape{2, 4, 3, 16});
  CHECK(k.local.at(0) == Shape{2, 2, 3, 16});
  CHECK(is_cut(k, 1));
}

TEST_CASE("slice: other dimensions keep their shards", "[shape_ops]") {
  Ranks on(2);
  const TensorState last = slice(on.m, on.cut({2, 5, 8}, 2), 1, -1, INT64_MAX);
  CHECK(last.local.at(0) == Shape{2, 1, 4});
  CHECK(is_cut(last, 2));
}

TEST_CASE("slice: of the split dimension takes each rank's own beginning, which is wrong", "[shape_ops]") {
  Ranks on(2);
  CHECK(on.code(slice(on.m, on.cut({2, 8}, 1), 1, 0, 2)) == "TP105");
}

TEST_CASE("split: sizes of the whole fused tensor do not fit a shard", "[shape_ops]") {
  Ranks on(2);
  split(on.m, on.cut({2, 3, 48}, 2), 2, {32, 8, 8});
  CHECK(on.fault() == "TP105");
  CHECK(on.m.fault().library == "split_with_sizes expects split_sizes to sum exactly to 24");
}

TEST_CASE("split: a whole tensor comes apart whole", "[shape_ops]") {
  Ranks on(2);
  const auto parts = split(on.m, on.whole({2, 48}), -1, {32, 16});
  REQUIRE(parts.size() == 2);
  CHECK(parts[1].ideal == Shape{2, 16});
  CHECK(is_whole(parts[1]));
}

TEST_CASE("chunk: packed shard [A_r|B_r] gives matching halves", "[shape_ops]") {
  Ranks on(2);
  const auto halves = chunk(on.m, on.cut({3, 16}, 1, 2), -1, 2);
  REQUIRE(halves.size() == 2);
  CHECK(is_cut(halves[0], 1));
  CHECK(halves[0].layout == halves[1].layout);
  CHECK(on.ranges(halves[1], 1) == Ranges{{4, 8}});
}

TEST_CASE("chunk: a plain shard of a fused tensor holds no matching halves", "[shape_ops]") {
  Ranks on(2);
  const auto halves = chunk(on.m, on.cut({3, 16}, 1), -1, 2);
  REQUIRE(halves.size() == 2);
  CHECK(on.code(halves[0]) == "TP105");
}

TEST_CASE("chunk: fewer features than chunks", "[shape_ops]") {
  Ranks on(4);
  chunk(on.m, on.cut({3, 4}, 1), -1, 2);
  CHECK(on.fault() == "TP103");
}

TEST_CASE("concat: along the split dimension the shards become blocks", "[shape_ops]") {
  Ranks on(2);
  const TensorState a = on.cut({3, 8}, 1), b = on.cut({3, 8}, 1);
  const TensorState both = concat(on.m, {&a, &b}, -1);
  CHECK(both.local.at(0) == Shape{3, 8});
  CHECK(on.ranges(both, 0) == Ranges{{0, 4}, {8, 12}});
  CHECK(on.trace.operations.back().kind == OperationKind::copy);
}

TEST_CASE("concat: a whole and a split tensor along another dimension", "[shape_ops]") {
  Ranks on(2);
  const TensorState heads = on.cut({2, 4, 3, 8}, 1), whole = on.whole({2, 4, 3, 8});
  concat(on.m, {&heads, &whole}, -1);
  CHECK(on.fault() == "TP108");
}

TEST_CASE("all_reduce: completes partial sums", "[shape_ops][collectives]") {
  Ranks on(4);
  CHECK(is_whole(all_reduce(on.m, on.partial({2, 8}))));
  REQUIRE(on.trace.forward.size() == 1);
  const CollectiveEvent& event = on.trace.forward.front();
  CHECK(event.op == CollectiveOp::all_reduce);
  CHECK(event.numel == 16);
  CHECK(event.group == 4);
  CHECK(event.payload_bytes == 32);
  CHECK(event.wire_bytes_per_rank == 48);
  CHECK(on.trace.train_forward.size() == 1);
  CHECK(on.trace.backward.empty());
}

TEST_CASE("all_reduce: of a replicated tensor scales by p", "[shape_ops][collectives]") {
  Ranks on(4);
  CHECK(all_reduce(on.m, on.whole({2, 8})).layout.scale == 4);
  CHECK(all_reduce(on.m, on.scaled({2, 8}, 0.25)).layout.scale == 1);
}

TEST_CASE("all_reduce: of different shards is wrong, of different sizes a hang", "[shape_ops][collectives]") {
  Ranks on(3);
  CHECK(on.code(all_reduce(on.m, on.cut({2, 9}, 1))) == "TP108");
  all_reduce(on.m, on.cut({2, 8}, 1));
  CHECK(on.fault() == "TP108");
}

TEST_CASE("all_gather: shards in order become whole", "[shape_ops][collectives]") {
  Ranks on(2);
  const TensorState whole = all_gather(on.m, on.cut({2, 8}, 1), -1, false);
  CHECK(is_whole(whole));
  CHECK(on.trace.forward.back().numel == 8);
  CHECK(on.trace.forward.back().payload_bytes == 32);
}

TEST_CASE("all_gather: short shards are padded by DTensor and a fault elsewhere", "[shape_ops][collectives]") {
  Ranks padded(3), plain(3);
  CHECK(is_whole(all_gather(padded.m, padded.cut({2, 8}, 1), -1, true)));
  all_gather(plain.m, plain.cut({2, 8}, 1), -1, false);
  CHECK(plain.fault() == "TP103");
}

TEST_CASE("all_gather: of whole tensors is p times too wide, of packed shards out of order",
          "[shape_ops][collectives]") {
  Ranks on(2);
  const TensorState wide = all_gather(on.m, on.whole({2, 8}), -1, false);
  CHECK(on.code(wide) == "TP107");
  CHECK(wide.local.at(0) == Shape{2, 16});
  CHECK(on.code(all_gather(on.m, on.cut({2, 8}, 1, 2), -1, false)) == "TP105");
}

TEST_CASE("reduce_scatter: leaves each rank its chunk of the sum", "[shape_ops][collectives]") {
  Ranks on(2);
  const TensorState chunked_sum = reduce_scatter(on.m, on.partial({2, 6, 8}), 1);
  CHECK(is_cut(chunked_sum, 1));
  CHECK(chunked_sum.local.at(1) == Shape{2, 3, 8});
  CHECK(on.trace.forward.back().op == CollectiveOp::reduce_scatter);
  CHECK(reduce_scatter(on.m, on.whole({2, 6, 8}), 1).layout.scale == 2);
}

TEST_CASE("local_chunk: cuts without communication", "[shape_ops]") {
  Ranks on(2);
  CHECK(is_cut(local_chunk(on.m, on.whole({2, 8}), -1, true), 1));
  CHECK(on.code(local_chunk(on.m, on.partial({2, 8}), -1, true)) == "TP108");
  CHECK(on.trace.forward.empty());
}

TEST_CASE("local_chunk: more ranks than features leave some without, which hooks cannot bear", "[shape_ops]") {
  Ranks lenient(4), strict(4);
  CHECK(local_chunk(lenient.m, lenient.whole({2, 5}), -1, false).local.at(3) == Shape{2, 0});
  local_chunk(strict.m, strict.whole({2, 5}), -1, true);
  CHECK(strict.fault() == "TP103");
}

TEST_CASE("checked: a local shape that the layout does not explain is wrong", "[shape_ops]") {
  Ranks on(2);
  TensorState odd = on.whole({2, 8});
  odd.local = RankShapes(Shape{2, 4});
  CHECK(on.code(checked(on.m, odd)) == "TP108");
}

TEST_CASE("views of a split DTensor are not modelled, of a replicated one they are", "[shape_ops]") {
  Ranks on(2);
  CHECK(transpose(on.m, on.distributed(on.whole({2, 8})), 0, 1).local.at(0) == Shape{8, 2});
  transpose(on.m, on.distributed(on.cut({2, 8}, 1)), 0, 1);
  CHECK(on.fault() == "TP120");
}

}  // namespace tpsim
