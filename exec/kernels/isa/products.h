// Products with packed panels. Included by kernels.cpp only, which brings the intrinsics.
#pragma once

#include "exec/kernels/isa/lanes.h"

namespace tpsim::exec {
namespace {

constexpr std::int64_t kDepth = 256;        // of k at a time: a panel's part stays in the first cache
constexpr std::int64_t kDepthBf16 = 512;    // the same bytes
constexpr std::int64_t kDepthTiles = 2048;  // sums stay in tiles; a panel's part stays in the second cache
constexpr std::int64_t kStretch = 4;        // depths, one behind the other, before c is left for other columns
constexpr std::int64_t kRowBlock = 264;     // rows of a packed at a time: with a stretch they stay in the second cache
constexpr std::int64_t kRowBlockTiles = 256;
constexpr std::int64_t kTile = 16;

constexpr std::int64_t even(std::int64_t k) { return (k + 1) / 2 * 2; }

// f(row of the panel, k, value) in an order that reads b along its rows.
template <class F>
[[gnu::always_inline]] inline void each_of_panel(const float* b, std::int64_t n, std::int64_t k, std::int64_t stride,
                                                 bool transposed, std::int64_t panel, F f) {
  const std::int64_t begin = panel * kPanel, rows = low_of(n - begin, kPanel);
  if (transposed) {
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t i = 0; i < rows; ++i) f(i, p, b[p * stride + begin + i]);
    return;
  }
  constexpr std::int64_t kRun = 16;  // a cache line of each row at a time
  for (std::int64_t p = 0; p < k; p += kRun)
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t q = p; q < low_of(p + kRun, k); ++q) f(i, q, b[(begin + i) * stride + q]);
}

void pack(const float* b, float* packed, std::int64_t n, std::int64_t k, std::int64_t stride, bool transposed,
          std::int64_t first, std::int64_t last) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    float* to = packed + panel * even(k) * kPanel;
    const std::int64_t written = (panel + 1) * kPanel > n ? 0 : k * kPanel;  // the rest is zeros
    __builtin_memset(to + written, 0, sizeof(float) * static_cast<std::size_t>(even(k) * kPanel - written));
    each_of_panel(b, n, k, stride, transposed, panel,
                  [&](std::int64_t i, std::int64_t p, float value) { to[p * kPanel + i] = value; });
  }
}

void pack_bf16(const float* b, std::uint16_t* packed, std::int64_t n, std::int64_t k, std::int64_t stride,
               bool transposed, std::int64_t first, std::int64_t last) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    std::uint16_t* to = packed + panel * even(k) * kPanel;
    __builtin_memset(to, 0, 2 * static_cast<std::size_t>(even(k) * kPanel));
    each_of_panel(b, n, k, stride, transposed, panel, [&](std::int64_t i, std::int64_t p, float value) {
      std::uint32_t bits;
      __builtin_memcpy(&bits, &value, sizeof bits);
      to[(p / 2 * kPanel + i) * 2 + p % 2] = static_cast<std::uint16_t>(bits >> 16);
    });
  }
}

// R rows of c, both vectors of one panel.
template <int R>
struct Accumulator {
  Vec left[static_cast<unsigned>(R)], right[static_cast<unsigned>(R)];

  [[gnu::always_inline]] void start(const float* c, std::int64_t stride, std::int64_t width, bool onto) {
    for (int r = 0; r < R; ++r) {
      left[r] = right[r] = Vec{};
      if (!onto) continue;
      if (width == kPanel) {
        left[r] = load(c + r * stride);
        right[r] = load(c + r * stride + kLanes);
      } else {
        __builtin_memcpy(&left[r], c + r * stride, 4 * static_cast<std::size_t>(low_of(width, kLanes)));
        if (width > kLanes)
          __builtin_memcpy(&right[r], c + r * stride + kLanes, 4 * static_cast<std::size_t>(width - kLanes));
      }
    }
  }
  [[gnu::always_inline]] void finish(float* c, std::int64_t stride, std::int64_t width) const {
    for (int r = 0; r < R; ++r) {
      store_some(c + r * stride, left[r], static_cast<int>(low_of(width, kLanes)));
      if (width > kLanes) store_some(c + r * stride + kLanes, right[r], static_cast<int>(width - kLanes));
    }
  }
};

// a: [depth][R].
template <int R>
void multiply(const float* a, const float* b, float* c, std::int64_t stride, std::int64_t width, std::int64_t depth,
              bool onto) {
  Accumulator<R> sum;
  sum.start(c, stride, width, onto);
  for (std::int64_t p = 0; p < depth; ++p) {
    const Vec x = load(b + p * kPanel), y = load(b + p * kPanel + kLanes);
    for (int r = 0; r < R; ++r) {
      sum.left[r] += a[p * R + r] * x;
      sum.right[r] += a[p * R + r] * y;
    }
  }
  if (width == kPanel)
    for (int r = 0; r < R; ++r) {
      store(c + r * stride, sum.left[r]);
      store(c + r * stride + kLanes, sum.right[r]);
    }
  else
    sum.finish(c, stride, width);
}

// a: [depth / 2][R] pairs of bf16.
template <int R>
void multiply_pairs(const std::uint32_t* a, const std::uint16_t* b, float* c, std::int64_t stride, std::int64_t width,
                    std::int64_t depth, bool onto) {
  Accumulator<R> sum;
  sum.start(c, stride, width, onto);
  for (std::int64_t p = 0; p < depth / 2; ++p) {
    const Int x = load_as<Int>(b + p * 2 * kPanel), y = load_as<Int>(b + p * 2 * kPanel + kPanel);
#if defined(__AVX512BF16__)
    for (int r = 0; r < R; ++r) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(a[p * R + r]));
      sum.left[r] = Vec(_mm512_dpbf16_ps(__m512(sum.left[r]), __m512bh(pair), __m512bh(x)));
      sum.right[r] = Vec(_mm512_dpbf16_ps(__m512(sum.right[r]), __m512bh(pair), __m512bh(y)));
    }
#else
    const Int high = Int{} + static_cast<std::int32_t>(0xFFFF0000);
    const Vec x0 = from_bits(x << 16), x1 = from_bits(x & high), y0 = from_bits(y << 16), y1 = from_bits(y & high);
    for (int r = 0; r < R; ++r) {
      const std::uint32_t bits[2] = {a[p * R + r] << 16, a[p * R + r] & 0xFFFF0000u};
      float pair[2];
      __builtin_memcpy(pair, bits, sizeof pair);
      sum.left[r] += pair[0] * x0;
      sum.right[r] += pair[0] * y0;
      sum.left[r] += pair[1] * x1;
      sum.right[r] += pair[1] * y1;
    }
#endif
  }
  sum.finish(c, stride, width);
}

// f.template operator()<R>() for the R that is `rows`.
template <int R = kRows, class F>
[[gnu::always_inline]] inline void with_rows(std::int64_t rows, F f) {
  if constexpr (R > 0) {
    if (rows == R) return f.template operator()<R>();
    with_rows<R - 1>(rows, f);
  }
}

std::uint32_t pair_of(const float* x, bool both) {
  std::uint32_t bits[2] = {};
  __builtin_memcpy(bits, x, both ? 8 : 4);
  return (bits[0] >> 16) | (bits[1] & 0xFFFF0000u);
}

// Rows of a in groups of kRows, each [depth][rows of the group].
void pack_rows(const float* a, std::int64_t stride, float* packed, std::int64_t rows, std::int64_t depth) {
  for (std::int64_t i = 0; i < rows; i += kRows) {
    const std::int64_t group = low_of(kRows, rows - i);
    for (std::int64_t r = 0; r < group; ++r)
      for (std::int64_t p = 0; p < depth; ++p) packed[i * depth + p * group + r] = a[(i + r) * stride + p];
  }
}

void pack_row_pairs(const float* a, std::int64_t stride, std::uint32_t* packed, std::int64_t rows, std::int64_t depth) {
  const std::int64_t pairs = even(depth) / 2;
  for (std::int64_t i = 0; i < rows; i += kRows) {
    const std::int64_t group = low_of(kRows, rows - i);
    for (std::int64_t r = 0; r < group; ++r)
      for (std::int64_t p = 0; p < pairs; ++p)
        packed[i * pairs + p * group + r] = pair_of(a + (i + r) * stride + 2 * p, 2 * p + 1 < depth);
  }
}

// f(row, rows, k, depth) for blocks of a that are packed at a time.
template <class F>
[[gnu::always_inline]] inline void each_block(std::int64_t m, std::int64_t used, std::int64_t rows, std::int64_t depth,
                                              F f) {
  for (std::int64_t row = 0; row < m; row += rows)
    for (std::int64_t p = 0; p < used; p += depth) f(row, low_of(rows, m - row), p, low_of(depth, used - p));
}

void product(const float* a, std::int64_t a_stride, const float* packed, float* c, std::int64_t c_stride,
             std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used, std::int64_t first, std::int64_t last,
             float* room) {
  each_block(m, used, kRowBlock, kDepth * kStretch,
             [&](std::int64_t row, std::int64_t rows, std::int64_t begin, std::int64_t length) {
               const float* from = a + row * a_stride + begin;
               const bool as_is = rows == 1;
               for (std::int64_t p = 0; !as_is && p < length; p += kDepth)
                 pack_rows(from + p, a_stride, room + p * rows, rows, low_of(kDepth, length - p));
               for (std::int64_t panel = first; panel < last; ++panel)
                 for (std::int64_t p = 0; p < length; p += kDepth) {
                   const std::int64_t depth = low_of(kDepth, length - p);
                   const float* x = as_is ? from + p : room + p * rows;
                   for (std::int64_t i = 0; i < rows; i += kRows)
                     with_rows(low_of(kRows, rows - i), [&]<int R>() {
                       multiply<R>(x + i * depth, packed + (panel * even(k) + begin + p) * kPanel,
                                   c + (row + i) * c_stride + panel * kPanel, c_stride,
                                   low_of(kPanel, n - panel * kPanel), depth, begin + p > 0);
                     });
                 }
             });
}

void product_of_pairs(const float* a, std::int64_t a_stride, const std::uint16_t* packed, float* c,
                      std::int64_t c_stride, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used,
                      std::int64_t first, std::int64_t last, float* room) {
  std::uint32_t* pairs = reinterpret_cast<std::uint32_t*>(room);
  each_block(m, used, kRowBlock, kDepthBf16 * kStretch,
             [&](std::int64_t row, std::int64_t rows, std::int64_t begin, std::int64_t length) {
               for (std::int64_t p = 0; p < length; p += kDepthBf16)
                 pack_row_pairs(a + row * a_stride + begin + p, a_stride, pairs + p / 2 * rows, rows,
                                low_of(kDepthBf16, length - p));
               for (std::int64_t panel = first; panel < last; ++panel)
                 for (std::int64_t p = 0; p < length; p += kDepthBf16) {
                   const std::int64_t depth = even(low_of(kDepthBf16, length - p));
                   for (std::int64_t i = 0; i < rows; i += kRows)
                     with_rows(low_of(kRows, rows - i), [&]<int R>() {
                       multiply_pairs<R>(pairs + p / 2 * rows + i * depth / 2,
                                         packed + (panel * even(k) + begin + p) * kPanel,
                                         c + (row + i) * c_stride + panel * kPanel, c_stride,
                                         low_of(kPanel, n - panel * kPanel), depth, begin + p > 0);
                     });
                 }
             });
}

#if defined(__AMX_BF16__)

// Tiles of 16 x 32 bf16 of a: [m / 16][depth / 32][16][32], zeros behind the ends.
void pack_tiles(const float* a, std::int64_t stride, std::uint16_t* packed, std::int64_t rows, std::int64_t depth) {
  const std::int64_t tiles = (depth + 31) / 32, padded = (rows + 31) / 32 * 32;
  for (std::int64_t i = 0; i < padded; ++i)
    for (std::int64_t t = 0; t < tiles; ++t) {
      std::uint16_t* to = packed + ((i / kTile * tiles + t) * kTile + i % kTile) * 32;
      const std::int64_t width = i < rows ? low_of(32, depth - t * 32) : 0;
      const float* from = a + i * stride + t * 32;
      if (width == 32) {
        const Int low = bits_of(load(from)), high = bits_of(load(from + kLanes));
        const __m256i x = _mm512_cvtepi32_epi16(_mm512_srli_epi32(__m512i(low), 16));
        const __m256i y = _mm512_cvtepi32_epi16(_mm512_srli_epi32(__m512i(high), 16));
        __builtin_memcpy(to, &x, sizeof x);
        __builtin_memcpy(to + kLanes, &y, sizeof y);
        continue;
      }
      __builtin_memset(to, 0, 64);
      for (std::int64_t p = 0; p < width; ++p) {
        std::uint32_t bits;
        __builtin_memcpy(&bits, from + p, sizeof bits);
        to[p] = static_cast<std::uint16_t>(bits >> 16);
      }
    }
}

struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// 32 x 32 of c; a: two rows of tiles.
void multiply_tiles(const std::uint16_t* a, const std::uint16_t* b, float* c, std::int64_t stride, std::int64_t tiles,
                    bool onto) {
  const std::int64_t bytes = stride * 4;
  if (onto) {
    _tile_loadd(0, c, bytes);
    _tile_loadd(1, c + kTile, bytes);
    _tile_loadd(2, c + kTile * stride, bytes);
    _tile_loadd(3, c + kTile * stride + kTile, bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::int64_t t = 0; t < tiles; ++t) {
    _tile_loadd(4, a + t * 512, 64);
    _tile_loadd(6, b + t * 1024, 128);
    _tile_loadd(7, b + t * 1024 + 32, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + (tiles + t) * 512, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, bytes);
  _tile_stored(1, c + kTile, bytes);
  _tile_stored(2, c + kTile * stride, bytes);
  _tile_stored(3, c + kTile * stride + kTile, bytes);
}

// The same where c ends before.
void multiply_edge(const std::uint16_t* a, const std::uint16_t* b, float* c, std::int64_t stride, std::int64_t tiles,
                   bool onto, std::int64_t rows, std::int64_t width) {
  alignas(64) float whole[32 * kPanel];
  for (std::int64_t r = 0; onto && r < rows; ++r)
    __builtin_memcpy(whole + r * kPanel, c + r * stride, 4 * static_cast<std::size_t>(width));
  multiply_tiles(a, b, whole, kPanel, tiles, onto);
  for (std::int64_t r = 0; r < rows; ++r)
    __builtin_memcpy(c + r * stride, whole + r * kPanel, 4 * static_cast<std::size_t>(width));
}

constexpr std::int64_t kFewRows = 8;  // below: tiles would be empty for the most part

void product_bf16(const float* a, std::int64_t a_stride, const std::uint16_t* packed, float* c, std::int64_t c_stride,
                  std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used, std::int64_t first,
                  std::int64_t last, float* room) {
  if (m < kFewRows || used % 32 != 0)
    return product_of_pairs(a, a_stride, packed, c, c_stride, m, n, k, used, first, last, room);
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  std::uint16_t* tiles = reinterpret_cast<std::uint16_t*>(room);
  each_block(m, used, kRowBlockTiles, kDepthTiles,
             [&](std::int64_t row, std::int64_t rows, std::int64_t p, std::int64_t depth) {
               pack_tiles(a + row * a_stride + p, a_stride, tiles, rows, depth);
               for (std::int64_t panel = first; panel < last; ++panel)
                 for (std::int64_t i = 0; i < rows; i += 32) {
                   const std::int64_t width = low_of(kPanel, n - panel * kPanel), height = low_of(32, rows - i);
                   const std::uint16_t *x = tiles + i * depth, *y = packed + (panel * even(k) + p) * kPanel;
                   float* to = c + (row + i) * c_stride + panel * kPanel;
                   if (width == kPanel && height == 32)
                     multiply_tiles(x, y, to, c_stride, depth / 32, p > 0);
                   else
                     multiply_edge(x, y, to, c_stride, depth / 32, p > 0, height, width);
                 }
             });
  _tile_release();
}

#else

void product_bf16(const float* a, std::int64_t a_stride, const std::uint16_t* packed, float* c, std::int64_t c_stride,
                  std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t used, std::int64_t first,
                  std::int64_t last, float* room) {
  product_of_pairs(a, a_stride, packed, c, c_stride, m, n, k, used, first, last, room);
}

#endif

std::int64_t room(std::int64_t m, std::int64_t k) {
  const std::int64_t rows = low_of(m, kRowBlock) + 32;
  return rows * low_of(kDepth * kStretch, even(k) + 32) + 64;
}

}  // namespace
}  // namespace tpsim::exec
