#include "core/shape.h"

#include <algorithm>
#include <charconv>

#include "core/checked.h"

namespace tpsim {

std::optional<std::int64_t> checked_numel(const Shape& shape) {
  std::int64_t numel = 1;
  bool overflow = false;
  for (auto extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) return 0;
    const auto product = checked_mul(numel, extent);
    overflow = overflow || !product;
    numel = product.value_or(numel);
  }
  if (overflow) return std::nullopt;
  return numel;
}

std::optional<Shape> parse_shape(std::string_view text) {
  Shape shape;
  if (text == "scalar") return shape;
  while (shape.rank() < Shape::kMaxRank) {
    std::int64_t extent = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (status != std::errc() || extent < 0) return std::nullopt;
    shape.push_back(extent);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return shape;
    if (text.front() != 'x') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

std::string to_string(const Shape& shape) {
  if (shape.rank() == 0) return "scalar";
  std::string text;
  for (auto d : shape) {
    if (!text.empty()) text += 'x';
    text += std::to_string(d);
  }
  return text;
}

Range chunk_range(std::int64_t extent, int parts, int index) {
  const std::int64_t chunk = ceil_div(extent, parts);
  const std::int64_t begin = std::min(extent, saturating_mul(chunk, index));
  return {begin, begin + std::min(extent - begin, chunk)};
}

}  // namespace tpsim
