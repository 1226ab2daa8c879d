#include "core/collective.h"

#include <limits>

#include "tests/catch.hpp"

namespace tpsim {

TEST_CASE("collective: names are read back", "[collective]") {
  for (auto op : {CollectiveOp::all_reduce, CollectiveOp::all_gather, CollectiveOp::reduce_scatter,
                  CollectiveOp::all_to_all, CollectiveOp::broadcast, CollectiveOp::send})
    CHECK(parse_collective(to_string(op)) == op);
  CHECK_FALSE(parse_collective("allreduce"));
}

TEST_CASE("collective: wire bytes of the ring algorithm", "[collective]") {
  constexpr std::int64_t n = 1'000'000;
  CHECK(wire_bytes_per_rank(CollectiveOp::all_reduce, n, 4) == 1'500'000);
  CHECK(wire_bytes_per_rank(CollectiveOp::all_gather, n, 4) == 750'000);
  CHECK(wire_bytes_per_rank(CollectiveOp::reduce_scatter, n, 8) == 875'000);
  CHECK(wire_bytes_per_rank(CollectiveOp::all_to_all, n, 2) == 500'000);
  CHECK(wire_bytes_per_rank(CollectiveOp::broadcast, n, 4) == n);
  CHECK(wire_bytes_per_rank(CollectiveOp::send, n, 2) == n);
}

TEST_CASE("collective: fractions of a byte are rounded up", "[collective]") {
  CHECK(wire_bytes_per_rank(CollectiveOp::all_reduce, 10, 3) == 14);  // 2*2/3*10 = 13.33
  CHECK(wire_bytes_per_rank(CollectiveOp::all_gather, 10, 3) == 7);   // 2/3*10 = 6.67
  CHECK(wire_bytes_per_rank(CollectiveOp::all_gather, 9, 3) == 6);
}

TEST_CASE("collective: one rank sends nothing", "[collective]") {
  CHECK(wire_bytes_per_rank(CollectiveOp::all_reduce, 100, 1) == 0);
  CHECK(wire_bytes_per_rank(CollectiveOp::broadcast, 100, 1) == 0);
  CHECK(wire_bytes_per_rank(CollectiveOp::all_gather, 0, 8) == 0);
}

TEST_CASE("collective: payloads near the limit of 64 bits", "[collective]") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(wire_bytes_per_rank(CollectiveOp::all_gather, most, 2) == most / 2 + 1);
  CHECK(wire_bytes_per_rank(CollectiveOp::all_reduce, most, 8) == most);
}

}  // namespace tpsim
