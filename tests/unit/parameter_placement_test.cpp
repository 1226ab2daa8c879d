#include "core/parameter_placement.h"

#include "tests/catch.hpp"
#include "tests/unit/ranks.h"

namespace tpsim {
namespace {

constexpr Dialect k4_53{4, 53, 0}, k4_57{4, 57, 0}, k5_15{5, 15, 0}, k5_19{5, 19, 0};

struct Placing {
  Ranks on;
  ModuleType owner;
  ParameterSpec parameter;
  ParameterToPlace what{&owner, &parameter};

  Placing(const Dialect& dialect, int ranks, std::string name, Shape shape, ModuleKind kind = ModuleKind::linear)
      : on(ranks, dialect) {
    owner.kind = kind;
    parameter = {std::move(name), shape};
  }
  PlacedParameter place(StrategyKind kind) { return place_parameter(on.m, what, kind); }
};

Shape local(const Dialect& dialect, StrategyKind kind, const char* name, Shape shape, int ranks = 2,
            ModuleKind owner = ModuleKind::linear) {
  Placing placing(dialect, ranks, name, shape, owner);
  return placing.place(kind).state.local.at(0);
}

}  // namespace

TEST_CASE("place: without a rule every rank has a copy", "[placement]") {
  Placing placing(kNewestDialect, 4, "weight", {8, 6});
  const PlacedParameter placed = place_parameter(placing.on.m, placing.what, std::nullopt);
  CHECK(is_whole(placed.state));
  CHECK(placed.placement == Placement(Replicate{}));
}

TEST_CASE("place: colwise cuts output features, rowwise input features, in every generation", "[placement]") {
  for (const Dialect& dialect : {k4_57, k5_15, kNewestDialect}) {
    INFO(to_string(dialect));
    CHECK(local(dialect, StrategyKind::colwise, "weight", {8, 6}) == Shape{4, 6});
    CHECK(local(dialect, StrategyKind::colwise, "bias", {8}) == Shape{4});
    CHECK(local(dialect, StrategyKind::rowwise, "weight", {8, 6}) == Shape{8, 3});
    CHECK(local(dialect, StrategyKind::rowwise, "bias", {8}) == Shape{8});
    CHECK(local(dialect, StrategyKind::colwise, "experts", {4, 8, 6}) == Shape{4, 4, 6});
  }
}

TEST_CASE("place: 5.23 leaves a 1-D parameter whole only if it is called bias", "[placement]") {
  CHECK(local(kNewestDialect, StrategyKind::rowwise, "weight", {8}) == Shape{4});
  CHECK(local(k5_15, StrategyKind::rowwise, "weight", {8}) == Shape{8});
}

TEST_CASE("place: packed_colwise cuts 3-D weights in two blocks of output features", "[placement]") {
  Placing placing(k5_15, 2, "gate_up_proj", {4, 16, 6});
  const PlacedParameter placed = placing.place(StrategyKind::packed_colwise);
  CHECK(placed.state.local.at(0) == Shape{4, 8, 6});
  CHECK(placed.placement == Placement(StridedShard{1, 2}));
  CHECK(placing.on.ranges(placed.state, 0) == std::vector<Range>{{0, 4}, {8, 12}});
}

TEST_CASE("place: 5.15's packed_colwise fails on a 2-D weight, 5.23's cuts it", "[placement]") {
  Placing old(k5_15, 2, "weight", {16, 6}), now(kNewestDialect, 2, "weight", {16, 6});
  CHECK(old.place(StrategyKind::packed_colwise).refused);
  const PlacedParameter placed = now.place(StrategyKind::packed_colwise);
  CHECK_FALSE(placed.refused);
  CHECK(now.on.ranges(placed.state, 1) == std::vector<Range>{{4, 8}, {12, 16}});
}

TEST_CASE("place: packed blocks that do not divide fail to load in 5.15", "[placement]") {
  Placing placing(k5_15, 4, "gate_up_proj", {2, 12, 6});
  const PlacedParameter placed = placing.place(StrategyKind::packed_colwise);
  REQUIRE(placed.refused);
  CHECK(placed.refused->code == "TP103");
}

TEST_CASE("place: embeddings are cut along features until 5.20, along the vocabulary from 5.21", "[placement]") {
  const auto table = [](const Dialect& d, StrategyKind k) {
    return local(d, k, "weight", {10, 8}, 2, ModuleKind::embedding);
  };
  CHECK(table(k5_19, StrategyKind::colwise) == Shape{10, 4});
  CHECK(table(k5_19, StrategyKind::rowwise) == Shape{5, 8});
  CHECK(table(kNewestDialect, StrategyKind::embedding_rowwise) == Shape{5, 8});
  CHECK(table(kNewestDialect, StrategyKind::embedding_colwise) == Shape{10, 4});
}

TEST_CASE("place: grouped_gemm gives whole experts, and refuses a remainder", "[placement]") {
  CHECK(local(kNewestDialect, StrategyKind::grouped_gemm, "gate_up_proj", {4, 16, 6}) == Shape{2, 16, 6});
  Placing placing(kNewestDialect, 3, "gate_up_proj", {4, 16, 6});
  CHECK(placing.place(StrategyKind::grouped_gemm).refused);
}

TEST_CASE("place: uneven rows as torch.chunk cuts them, down to nothing", "[placement]") {
  Placing placing(kNewestDialect, 4, "weight", {5, 6});
  const PlacedParameter placed = placing.place(StrategyKind::colwise);
  CHECK(placed.state.local.at(0) == Shape{2, 6});
  CHECK(placed.state.local.at(2) == Shape{1, 6});
  CHECK(placed.state.local.at(3) == Shape{0, 6});
}

TEST_CASE("place: 4.57 cannot load a shard without rows", "[placement]") {
  Placing empty(k4_57, 4, "weight", {6, 8}), uneven(k4_57, 4, "weight", {7, 8});
  REQUIRE(empty.place(StrategyKind::colwise).refused);
  CHECK(empty.place(StrategyKind::colwise).refused->code == "TP103");
  CHECK_FALSE(uneven.place(StrategyKind::colwise).refused);
}

TEST_CASE("place: 4.53 drops the rows of a remainder silently", "[placement]") {
  Placing placing(k4_53, 3, "weight", {10, 6});
  const PlacedParameter placed = placing.place(StrategyKind::colwise);
  CHECK(placed.state.local.at(2) == Shape{3, 6});
  CHECK(placing.on.code(placed.state) == "TP103");
}

TEST_CASE("place: pieces that loading fuses are cut one by one", "[placement]") {
  Placing placing(kNewestDialect, 2, "gate_up_proj", {4, 16, 6});
  placing.what.stacked = true;
  placing.what.pieces = 2;
  const PlacedParameter placed = placing.place(StrategyKind::colwise);
  CHECK(placing.on.ranges(placed.state, 0) == std::vector<Range>{{0, 4}, {8, 12}});
}

TEST_CASE("place: DTensor parameters where the version makes them", "[placement]") {
  Placing old(k4_57, 2, "weight", {8, 6}), plain(k5_15, 2, "weight", {8, 6}), now(kNewestDialect, 2, "weight", {8, 6});
  CHECK(old.place(StrategyKind::colwise).state.belief);
  CHECK_FALSE(plain.place(StrategyKind::colwise).state.belief);
  CHECK(now.place(StrategyKind::colwise).state.belief);
}

TEST_CASE("place: a strategy described by data says what it cuts", "[placement]") {
  CustomStrategy custom;
  custom.name = "columns_in_three";
  custom.weight_dim = 0;
  custom.blocks = 3;
  Placing weight(kNewestDialect, 2, "weight", {12, 6}), bias(kNewestDialect, 2, "bias", {12});
  const PlacedParameter placed = place_parameter(weight.on.m, weight.what, StrategyKind::custom, &custom);
  CHECK(weight.on.ranges(placed.state, 0) == std::vector<Range>{{0, 2}, {4, 6}, {8, 10}});
  CHECK(is_whole(place_parameter(bias.on.m, bias.what, StrategyKind::custom, &custom).state));
  custom.weight_dim = 2;
  CHECK(place_parameter(weight.on.m, weight.what, StrategyKind::custom, &custom).refused);
}

}  // namespace tpsim
