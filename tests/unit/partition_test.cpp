#include "core/partition.h"

#include "tests/catch.hpp"

namespace tpsim {
namespace {

using Ranges = std::vector<Range>;

// Every index of [0, extent) on exactly one rank.
bool covers_once(const Partition& partition) {
  std::vector<int> holders(static_cast<std::size_t>(partition.extent), 0);
  for (const auto& ranges : partition.ranks)
    for (const Range& range : ranges)
      for (auto i = range.begin; i < range.end; ++i) ++holders[static_cast<std::size_t>(i)];
  for (const int count : holders)
    if (count != 1) return false;
  return true;
}

std::vector<std::int64_t> extents(const Partition& partition) {
  std::vector<std::int64_t> all;
  for (std::size_t r = 0; r < partition.ranks.size(); ++r) all.push_back(partition.local_extent(static_cast<int>(r)));
  return all;
}

}  // namespace

TEST_CASE("chunked: 16 rows over 3 ranks give 6, 6, 4", "[partition]") {
  CHECK(extents(chunked(16, 3)) == std::vector<std::int64_t>{6, 6, 4});
  CHECK(chunked(16, 3).ranks[2] == Ranges{{12, 16}});
}

TEST_CASE("chunked: the last ranks may hold nothing", "[partition]") {
  CHECK(extents(chunked(5, 4)) == std::vector<std::int64_t>{2, 2, 1, 0});
  CHECK(chunked(5, 4).ranks[3].empty());
}

TEST_CASE("chunked: packed blocks are cut one by one", "[partition]") {
  const Partition packed = chunked(8, 2, 2);
  CHECK(packed.ranks[0] == Ranges{{0, 2}, {4, 6}});
  CHECK(packed.ranks[1] == Ranges{{2, 4}, {6, 8}});
}

TEST_CASE("chunked: every index lies on one rank, whatever the numbers", "[partition]") {
  for (const std::int64_t extent : {0, 1, 7, 12, 31, 64})
    for (const int ranks : {1, 2, 3, 5, 8})
      for (const int blocks : {1, 2, 3}) {
        INFO(extent << " over " << ranks << " in " << blocks);
        CHECK(covers_once(chunked(extent, ranks, blocks)));
      }
}

TEST_CASE("chunked: adjacent pieces of one rank are one range", "[partition]") {
  CHECK(chunked(8, 1, 2).ranks[0] == Ranges{{0, 8}});
}

TEST_CASE("divided: features become heads where no range cuts one", "[partition]") {
  CHECK(divided(chunked(64, 2), 16) == chunked(4, 2));
  CHECK_FALSE(divided(chunked(48, 2), 16));
  CHECK_FALSE(divided(chunked(50, 2), 16));
}

TEST_CASE("multiplied: undoes divided", "[partition]") {
  const Partition features = chunked(96, 3, 2);
  CHECK(multiplied(*divided(features, 8), 8) == features);
}

TEST_CASE("restricted: a packed shard's halves are matching shards of both parts", "[partition]") {
  const Partition packed = chunked(16, 2, 2);
  CHECK(restricted(packed, {{0, 4}, {0, 4}}, {0, 8}) == chunked(8, 2));
  CHECK(restricted(packed, {{4, 8}, {4, 8}}, {8, 16}) == chunked(8, 2));
}

TEST_CASE("restricted: none where a rank's positions hold the other part", "[partition]") {
  // Rank 0 holds all of the first part, rank 1 all of the second.
  CHECK_FALSE(restricted(chunked(16, 2), {{0, 4}, {0, 4}}, {0, 8}));
}

TEST_CASE("restricted: none where indices are missing", "[partition]") {
  CHECK_FALSE(restricted(chunked(8, 2), {{0, 4}, {0, 2}}, {0, 8}));
  CHECK(restricted(chunked(8, 2), {{0, 4}, {0, 4}}, {0, 8}) == chunked(8, 2));
}

TEST_CASE("concatenated: gate and up, each cut, are one packed partition", "[partition]") {
  CHECK(concatenated(chunked(8, 2), chunked(8, 2)) == chunked(16, 2, 2));
}

TEST_CASE("is_in_order: plain shards are, packed ones are not", "[partition]") {
  CHECK(is_in_order(chunked(9, 4)));
  CHECK(is_in_order(chunked(8, 1, 2)));
  CHECK_FALSE(is_in_order(chunked(8, 2, 2)));
}

TEST_CASE("partition table: equal partitions have equal numbers", "[partition]") {
  PartitionTable table;
  const int plain = table.intern(chunked(8, 2)), packed = table.intern(chunked(8, 2, 2));
  CHECK(plain != packed);
  CHECK(table.intern(chunked(8, 2)) == plain);
  CHECK(table[packed] == chunked(8, 2, 2));
}

}  // namespace tpsim
