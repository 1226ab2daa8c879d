// Tensor shapes: a short list of non-negative extents kept inline, so that copying one never allocates.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tpsim {

class Shape {
public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    for (auto d : dims) push_back(d);
  }
  explicit Shape(std::span<const std::int64_t> dims) {
    for (auto d : dims) push_back(d);
  }

  int rank() const { return rank_; }
  // Negative dims count from the end, as in torch.
  std::int64_t operator[](int dim) const { return dims_[index(dim)]; }
  std::int64_t& operator[](int dim) { return dims_[index(dim)]; }
  void push_back(std::int64_t extent) {
    assert(rank_ < kMaxRank);
    dims_[static_cast<std::size_t>(rank_++)] = extent;
  }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  // The same shape with one extent replaced.
  Shape with(int dim, std::int64_t extent) const {
    Shape s = *this;
    s[dim] = extent;
    return s;
  }
  std::int64_t numel() const {
    std::int64_t n = 1;
    for (auto d : *this) n *= d;
    return n;
  }
  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (dims_[static_cast<std::size_t>(i)] != other.dims_[static_cast<std::size_t>(i)]) return false;
    return true;
  }

private:
  std::size_t index(int dim) const {
    const int i = dim < 0 ? dim + rank_ : dim;
    assert(i >= 0 && i < rank_);
    return static_cast<std::size_t>(i);
  }
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// The number of elements; none where it does not fit 64 bits or an extent is negative.
std::optional<std::int64_t> checked_numel(const Shape& shape);
// "8192x28672" -> Shape{8192, 28672}, "scalar" -> Shape{}. None for any other text and for extents beyond 64 bits.
std::optional<Shape> parse_shape(std::string_view text);
// "8192x28672"; a scalar is "scalar".
std::string to_string(const Shape& shape);

// A half-open range of indices [begin, end).
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// torch.chunk: rank r owns [r*c, min((r+1)*c, n)) with c = ceil(n/parts); the last ranges may be short or empty.
Range chunk_range(std::int64_t extent, int parts, int index);

}  // namespace tpsim
