#include "core/placement.h"

#include "tests/catch.hpp"

namespace tpsim {

TEST_CASE("placement: every spelling is read", "[placement]") {
  const auto parsed = [](const std::string& text) {
    INFO(text);
    auto placement = parse_placement(text);
    REQUIRE(placement);
    return *placement;
  };
  for (const char* text : {"R", "r", "Replicate", "replicate()", " Replicate ( ) "})
    CHECK(parsed(text) == Placement(Replicate{}));
  for (const char* text : {"S0", "S(0)", "Shard(0)", "shard(dim=0)", "Shard( 0 )"})
    CHECK(parsed(text) == Placement(Shard{0}));
  for (const char* text : {"S-1", "Shard(-1)", "Shard(dim=-1)"}) CHECK(parsed(text) == Placement(Shard{-1}));
  for (const char* text :
       {"_S(0,2)", "StridedShard(0, 2)", "_StridedShard(dim=0, sf=2)", "_StridedShard(dim=0, split_factor=2)"})
    CHECK(parsed(text) == Placement(StridedShard{0, 2}));
  for (const char* text : {"P", "P()", "Partial", "Partial(sum)", "Partial('sum')", "Partial(reduce_op=\"sum\")"})
    CHECK(parsed(text) == Placement(Partial{}));
  CHECK(parsed("Partial(avg)") == Placement(Partial{ReduceOp::avg}));
}

TEST_CASE("placement: to_string is read back", "[placement]") {
  const std::vector<Placement> all = {Replicate{},
                                      Shard{0},
                                      Shard{-1},
                                      StridedShard{1, 3},
                                      Partial{},
                                      Partial{ReduceOp::avg},
                                      Partial{ReduceOp::max},
                                      Partial{ReduceOp::min},
                                      Partial{ReduceOp::product}};
  for (const auto& placement : all) CHECK(*parse_placement(to_string(placement)) == placement);
}

TEST_CASE("placement: lists are split outside parentheses", "[placement]") {
  CHECK(*parse_placements("StridedShard(0, 2), Replicate,P") ==
        std::vector<Placement>{StridedShard{0, 2}, Replicate{}, Partial{}});
}

TEST_CASE("placement: anything else is refused by name", "[placement]") {
  for (const char* text : {"", "X", "S", "Shard", "Shard()", "Shard(a)", "Shard(0,1)", "Shard(0", "Shard(0)x", "S0x",
                           "S--1", "StridedShard(0)", "StridedShard(0,0)", "Partial(median)", "Partial(sum,avg)",
                           "Replicate(0)", "Shard(99999999999)", "P)"}) {
    const auto placement = parse_placement(text);
    INFO(text);
    REQUIRE_FALSE(placement);
    CHECK(placement.error().message == "\"" + std::string(text) + "\" is not a placement");
    CHECK(placement.error().details.size() == 2);
  }
  CHECK_FALSE(parse_placements(""));
  CHECK_FALSE(parse_placements("R,"));
  CHECK_FALSE(parse_placements("R,,R"));
}

}  // namespace tpsim
