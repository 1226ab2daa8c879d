#include <algorithm>
#include <set>

#include "core/shape.h"
#include "core/strategy.h"
#include "tests/catch.hpp"

using namespace tpsim;

namespace {

Dialect dialect(int major, int minor, int patch = 0) { return {major, minor, patch}; }

std::string fault(std::string_view text) {
  const auto result = read_strategies(text, "mine.json");
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("strategy catalogue: as many names as each release registers", "[strategy]") {
  // Counts of the registries of the releases themselves.
  const std::vector<std::pair<Dialect, std::size_t>> counts = {
      {dialect(4, 47), 3},  {dialect(4, 49), 4},     {dialect(4, 50), 9},  {dialect(4, 51), 10},
      {dialect(4, 52), 11}, {dialect(4, 52, 1), 10}, {dialect(4, 53), 11}, {dialect(4, 57), 13},
      {dialect(5, 0), 13},  {dialect(5, 1), 11},     {dialect(5, 3), 14},  {dialect(5, 4), 15},
      {dialect(5, 10), 18}, {dialect(5, 15, 1), 18}, {dialect(5, 16), 19}, {dialect(5, 19), 20},
      {dialect(5, 21), 22}, {dialect(5, 22), 22},    {dialect(5, 23), 20}};
  for (const auto& [d, count] : counts) {
    INFO(to_string(d));
    CHECK(strategy_names(d).size() == count);
  }
}

TEST_CASE("find_strategy: names come and go with the releases", "[strategy]") {
  CHECK(find_strategy("colwise_rep", dialect(4, 57)) == StrategyKind::colwise_gather_output);
  CHECK_FALSE(find_strategy("colwise_rep", dialect(5, 15)));
  CHECK(find_strategy("colwise_rep", dialect(5, 16)) == StrategyKind::colwise_gather_output);
  CHECK_FALSE(find_strategy("replicate", dialect(5, 20)));
  CHECK(find_strategy("replicate", dialect(5, 21)));
  CHECK_FALSE(find_strategy("ep_router", dialect(5, 23)));
  CHECK_FALSE(find_strategy("embedding_colwise", dialect(5, 16)));
  CHECK_FALSE(find_strategy("colwize", dialect(5, 23)));
  CHECK_FALSE(find_strategy("", dialect(5, 23)));
}

TEST_CASE("strategy catalogue: extensions are in no registry, yet found", "[strategy]") {
  for (const auto& info : strategy_catalogue()) {
    CHECK(is_extension(info.name) == info.extension);
    if (!info.extension) continue;
    CHECK(find_strategy(info.name, dialect(5, 23)) == info.kind);
    const auto names = strategy_names(dialect(5, 23));
    CHECK(std::ranges::find(names, info.name) == names.end());
  }
}

TEST_CASE("strategy catalogue: packed_colwise_N for 2 to 64 blocks", "[strategy]") {
  for (const auto name : {"packed_colwise_2", "packed_colwise_3", "packed_colwise_64"})
    CHECK(find_strategy(name, dialect(5, 15)) == StrategyKind::packed_colwise_n);
  for (const auto name : {"packed_colwise_", "packed_colwise_1", "packed_colwise_65", "packed_colwise_3x",
                          "packed_colwise_n", "packed_colwise_99999999999999999999", "packed_colwise_-3"})
    CHECK_FALSE(find_strategy(name, dialect(5, 15)));
}

TEST_CASE("strategy catalogue: names are unique and explained", "[strategy]") {
  std::set<std::string_view> names;
  for (const auto& info : strategy_catalogue()) {
    CHECK(names.insert(info.name).second);
    CHECK_FALSE(info.summary.empty());
    CHECK_FALSE(info.dialects.empty());
  }
}

TEST_CASE("equivalent_name: the same meaning under the dialect's own name", "[strategy]") {
  CHECK(equivalent_name("colwise_rep", dialect(5, 1)) == "colwise_gather_output");
  CHECK(equivalent_name("colwise_gather_output", dialect(4, 57)) == "colwise_rep");
  CHECK(equivalent_name("rowwise_rep", dialect(5, 15)) == "rowwise_split_input");
  CHECK(equivalent_name("local_packed_rowwise", dialect(5, 23)) == "packed_rowwise");
  CHECK(equivalent_name("all_reduce", dialect(4, 57)) == "gather");
  CHECK(equivalent_name("gather", dialect(5, 10)) == "all_reduce");
  CHECK_FALSE(equivalent_name("gather", dialect(5, 9)));
  CHECK(equivalent_name("colwise_rep", dialect(5, 16)) == "colwise_rep");
  CHECK(equivalent_name("local_colwise", dialect(5, 23)) == "colwise");
  CHECK(equivalent_name("colwise", dialect(4, 57)) == "colwise");
  CHECK_FALSE(equivalent_name("local_rowwise", dialect(5, 23)));
  CHECK_FALSE(equivalent_name("ep_router", dialect(5, 23)));
  CHECK_FALSE(equivalent_name("kv_replicate", dialect(5, 23)));
}

TEST_CASE("read_strategies: every field", "[strategy][custom]") {
  const auto set =
      read_strategies(R"([{"name": "qkv", "weight_dim": 0, "bias_dim": -1, "blocks": 3, "input": "replicate",
      "output": "shard_last", "backward": [{"op": "all_reduce", "tensor": "input"}]},
      {"name": "sum", "output": "partial", "forward": [{"op": "all_reduce", "tensor": "output"}], "split_input": true,
       "bias_after_reduction": true}])",
                      "mine.json");
  REQUIRE(set);
  REQUIRE(set->size() == 2);
  CHECK(set->front().weight_dim == 0);
  CHECK(set->front().bias_dim == -1);
  CHECK(set->front().blocks == 3);
  CHECK(set->front().input == StrategyLayout::replicate);
  CHECK(set->front().output == StrategyLayout::shard_last);
  CHECK(set->front().backward_input == CollectiveOp::all_reduce);
  CHECK_FALSE(set->front().forward);
  CHECK(set->back().forward == CollectiveOp::all_reduce);
  CHECK(set->back().split_input);
  CHECK(set->back().bias_after_reduction);
  CHECK_FALSE(set->back().weight_dim);
}

TEST_CASE("read_strategies: one object alone is a set of one", "[strategy][custom]") {
  const auto set = read_strategies(R"({"name": "mine", "weight_dim": 1})", "mine.json");
  REQUIRE(set);
  CHECK(set->size() == 1);
}

TEST_CASE("read_strategies: faults name field and value", "[strategy][custom]") {
  CHECK(fault("3") == "a strategy must be an object, not an integer");
  CHECK(fault("{}") == "a strategy needs a \"name\"");
  CHECK(fault(R"({"name": ""})") == "\"name\" must have 1 to 100 characters, not 0");
  CHECK(fault(R"({"name": "rowwise"})") == "\"rowwise\" is the name of a built-in strategy");
  CHECK(fault(R"({"name": "packed_colwise_7"})") == "\"packed_colwise_7\" is the name of a built-in strategy");
  CHECK(fault(R"({"name": "a", "weight_dims": 0})") == "unknown field \"weight_dims\"");
  const std::string last = std::to_string(Shape::kMaxRank - 1);
  CHECK(fault(R"({"name": "a", "weight_dim": 99})") ==
        "\"weight_dim\" must be from -" + std::to_string(Shape::kMaxRank) + " to " + last + ", not 99");
  CHECK(fault(R"({"name": "a", "weight_dim": "0"})").starts_with("\"weight_dim\" must be an integer, not "));
  CHECK(fault(R"({"name": "a", "weight_dim": 0, "blocks": 65})") == "\"blocks\" must be from 1 to 64, not 65");
  CHECK(fault(R"({"name": "a", "blocks": 2})") == "\"blocks\" needs a \"weight_dim\" to cut");
  CHECK(fault(R"({"name": "a", "input": "split"})") == "\"input\": unknown layout \"split\"");
  CHECK(fault(R"({"name": "a", "split_input": 1})") == "\"split_input\" must be true or false, not an integer");
  CHECK(fault(R"({"name": "a", "forward": [{"op": "broadcast"}]})") == "\"forward\": unknown collective \"broadcast\"");
  CHECK(fault(R"({"name": "a", "forward": [{"op": "all_reduce"}, {"op": "all_reduce"}]})") ==
        "\"forward\" holds 2 collectives, at most 1 is possible");
  CHECK(fault(R"({"name": "a", "forward": [{"op": "all_reduce", "tensor": "input"}]})") ==
        "\"forward\" acts on tensor \"output\", not \"input\"");
  CHECK(fault(R"({"name": "a", "forward": [{}]})") == "\"forward\" needs \"op\" as text");
  CHECK(fault(R"([{"name": "a"}, {"name": "a"}])") == "strategy \"a\" is described twice");
  CHECK_FALSE(fault("[").empty());
}

TEST_CASE("read_strategies: too many strategies are refused", "[strategy][custom]") {
  std::string text = "[";
  for (int i = 0; i < 1001; ++i) text += (i ? "," : "") + std::string("{\"name\": \"s") + std::to_string(i) + "\"}";
  CHECK(fault(text + "]") == "1001 strategies, at most 1000 are read");
}
