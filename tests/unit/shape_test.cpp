#include "core/shape.h"

#include <limits>

#include "tests/catch.hpp"

namespace tpsim {

TEST_CASE("shape: text is read back", "[shape]") {
  CHECK(to_string(Shape{8192, 28672}) == "8192x28672");
  CHECK(to_string(Shape{}) == "scalar");
  CHECK(parse_shape("8192x28672") == Shape{8192, 28672});
  CHECK(parse_shape("scalar") == Shape{});
  CHECK(parse_shape("0x3") == Shape{0, 3});
  for (const char* text :
       {"", "x", "2x", "x2", "2 x 3", "-1", "2x-3", "2.5", "99999999999999999999", "1x1x1x1x1x1x1x1x1"})
    CHECK_FALSE(parse_shape(text));
}

TEST_CASE("shape: negative dims count from the end", "[shape]") {
  const Shape shape{2, 3, 5};
  CHECK(shape[-1] == 5);
  CHECK(shape.with(-2, 7) == Shape{2, 7, 5});
  CHECK(shape.numel() == 30);
}

TEST_CASE("shape: checked_numel notices overflow", "[shape]") {
  constexpr std::int64_t big = std::int64_t{1} << 32;
  CHECK(checked_numel({big, big / 4}) == std::int64_t{1} << 62);
  CHECK_FALSE(checked_numel({big, big}));
  CHECK_FALSE(checked_numel({-1, 2}));
  CHECK(checked_numel({0, big, big}) == 0);
  CHECK(checked_numel({big, big, 0}) == 0);
  CHECK(checked_numel({}) == 1);
}

TEST_CASE("shape: chunk_range is torch.chunk", "[shape]") {
  const auto sizes = [](std::int64_t extent, int parts) {
    std::vector<std::int64_t> result;
    for (int i = 0; i < parts; ++i) result.push_back(chunk_range(extent, parts, i).size());
    return result;
  };
  CHECK(sizes(16, 3) == std::vector<std::int64_t>{6, 6, 4});
  CHECK(sizes(5, 4) == std::vector<std::int64_t>{2, 2, 1, 0});
  CHECK(sizes(2, 4) == std::vector<std::int64_t>{1, 1, 0, 0});
  CHECK(sizes(0, 2) == std::vector<std::int64_t>{0, 0});
  CHECK(chunk_range(5, 4, 3) == Range{5, 5});
}

TEST_CASE("shape: chunk_range of the largest extent does not wrap", "[shape]") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
  for (int i = 0; i < 7; ++i) {
    const Range range = chunk_range(most, 7, i);
    CHECK(range.begin == end);
    end = range.end;
  }
  CHECK(end == most);
}

}  // namespace tpsim
