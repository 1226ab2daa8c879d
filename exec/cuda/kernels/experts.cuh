// The experts' own computation on rows sorted by expert: rows gathered, products by groups, gates, and the sum back.
#pragma once

#include "exec/cuda/kernels/functions.cuh"
#include "exec/cuda/kernels/tile.cuh"

namespace tpsim::exec::cuda {

template <class T>
__global__ void gather_rows_kernel(GatherRowsOp op) {
  const std::int64_t used = op.offsets[op.experts];
  for (std::int64_t i = first_element(); i < used * op.width; i += element_step()) {
    const std::int64_t token = op.order[i / op.width] / op.k;
    static_cast<T*>(op.to)[i] = static_cast<const T*>(op.from)[token * op.width + i % op.width];
  }
}

inline void launch_gather_rows(const GatherRowsOp& op, Stream stream) {
  if (op.choices * op.width == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(gather_rows_kernel<T>, blocks_for(op.choices * op.width), kThreads, 0, stream, op);
  });
}

constexpr int kGroupRows = 64, kGroupColumns = 64, kGroupInner = 32;
constexpr int kGroupThreads = 128;  // four warps, 32 x 32 of the block's result each

// Which expert's rows a block computes: its tiles of rows are counted through all experts.
struct GroupTile {
  std::int64_t expert = 0, first = 0, end = 0;
};
__device__ inline GroupTile group_tile(const GroupedProductOp& op, std::int64_t tile) {
  GroupTile found;
  for (std::int64_t e = 0; e < op.experts; ++e) {
    const std::int64_t begin = op.offsets[e], end = op.offsets[e + 1];
    const std::int64_t tiles = (end - begin + kGroupRows - 1) / kGroupRows;
    if (tile < tiles) return {e, begin + tile * kGroupRows, end};
    tile -= tiles;
  }
  return found;
}

template <class T>
struct GroupShared {
  static constexpr int kLeft = kGroupInner + 8, kRight = kGroupColumns + 8, kOut = kGroupColumns + 8;
  T left[kGroupRows * kLeft];
  T right[kGroupInner * kRight];
  float out[kGroupRows * kOut];
};

template <class T>
__device__ void load_group_tiles(const GroupedProductOp& op, const GroupTile& at, std::int64_t column, std::int64_t k,
                                 GroupShared<T>& s) {
  using Shared = GroupShared<T>;
  for (int i = static_cast<int>(threadIdx.x); i < kGroupRows * kGroupInner; i += kGroupThreads) {
    const std::int64_t row = at.first + i / kGroupInner, inner = k + i % kGroupInner;
    s.left[i / kGroupInner * Shared::kLeft + i % kGroupInner] =
        row < at.end && inner < op.inner ? static_cast<const T*>(op.a)[row * op.inner + inner] : narrow<T>(0);
  }
  const T* b = static_cast<const T*>(op.b) + at.expert * op.n * op.inner;
  for (int i = static_cast<int>(threadIdx.x); i < kGroupInner * kGroupColumns; i += kGroupThreads) {
    // neighbouring threads read neighbouring numbers
    const int r = op.transposed ? i / kGroupColumns : i % kGroupInner;
    const int c = op.transposed ? i % kGroupColumns : i / kGroupInner;
    const std::int64_t inner = k + r, n = column + c;
    s.right[r * Shared::kRight + c] =
        inner < op.inner && n < op.n ? b[op.transposed ? inner * op.n + n : n * op.inner + inner] : narrow<T>(0);
  }
}

template <class T>
__global__ void __launch_bounds__(kGroupThreads) grouped_product_kernel(GroupedProductOp op) {
  TPSIM_DYNAMIC_SHARED(memory);
  using Shared = GroupShared<T>;
  Shared& s = *reinterpret_cast<Shared*>(memory);
  const GroupTile at = group_tile(op, blockIdx.y);
  if (at.end == 0) return;  // all threads of the block: more blocks than tiles
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kGroupColumns;
  const int warp = static_cast<int>(threadIdx.x / kWarp), row = warp / 2 * 32, across = warp % 2 * 32;
  TileSum<T> sums[2][2];
  for (auto& two : sums)
    for (auto& one : two) one.clear();
  for (std::int64_t k = 0; k < op.inner; k += kGroupInner) {
    load_group_tiles(op, at, column, k, s);
    __syncthreads();
    for (int inner = 0; inner < kGroupInner; inner += kTile)
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j)
          sums[i][j].template add_product<false>(s.left + (row + i * kTile) * Shared::kLeft + inner, Shared::kLeft,
                                                 s.right + inner * Shared::kRight + across + j * kTile, Shared::kRight);
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j)
      sums[i][j].store(s.out + (row + i * kTile) * Shared::kOut + across + j * kTile, Shared::kOut);
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < kGroupRows * kGroupColumns; i += kGroupThreads) {
    const std::int64_t r = at.first + i / kGroupColumns, c = column + i % kGroupColumns;
    if (r >= at.end || c >= op.n) continue;
    float x = s.out[i / kGroupColumns * Shared::kOut + i % kGroupColumns];
    if (op.bias != nullptr) x += widen(static_cast<const T*>(op.bias)[at.expert * op.n + c]);
    static_cast<T*>(op.c)[r * op.n + c] = narrow<T>(x);
  }
}

inline void launch_grouped_product(const GroupedProductOp& op, Stream stream) {
  if (op.rows * op.n == 0) return;
  const std::int64_t most = op.rows < op.experts ? op.rows : op.experts;  // experts with an unfinished tile
  const dim3 grid(static_cast<unsigned>((op.n + kGroupColumns - 1) / kGroupColumns),
                  static_cast<unsigned>(op.rows / kGroupRows + most));
  with_stored(op.stored, [&]<class T>(T) {
    launch(grouped_product_kernel<T>, grid, unsigned{kGroupThreads}, sizeof(GroupShared<T>), stream, op);
  });
}

__device__ inline float gate_of(const GateOp& op, float gate, float up) {
  const float limit = static_cast<float>(op.limit);
  switch (op.gate) {
    case GateFunction::plain: return gate;
    case GateFunction::multiplied: return apply(op.function, gate, 0, {}) * up;
    case GateFunction::gpt_oss:  // both halves limited to 7, (up + 1) * gate * sigmoid(1.702 gate)
      gate = fminf(gate, 7.0F);
      return (limited(up, -7.0F, 7.0F) + 1.0F) * gate * sigmoid_of(1.702F * gate);
    case GateFunction::clamped:  // silu(gate) * up, both limited
      gate = fminf(gate, limit);
      return gate * sigmoid_of(gate) * limited(up, -limit, limit);
  }
  return 0;
}

template <class T>
__global__ void gate_kernel(GateOp op) {
  const std::int64_t inner = op.gate == GateFunction::plain ? op.width : op.width / 2;
  for (std::int64_t i = first_element(); i < op.rows * inner; i += element_step()) {
    const T* from = static_cast<const T*>(op.from) + i / inner * op.width;
    const std::int64_t c = i % inner;
    const float x = op.gate == GateFunction::plain ? apply(op.function, widen(from[c]), 0, {})
                                                   : gate_of(op, widen(from[op.interleaved ? 2 * c : c]),
                                                             widen(from[op.interleaved ? 2 * c + 1 : c + inner]));
    static_cast<T*>(op.to)[i] = narrow<T>(x);
  }
}

inline void launch_gate(const GateOp& op, Stream stream) {
  if (op.rows * op.width == 0) return;
  with_stored(op.stored,
              [&]<class T>(T) { launch(gate_kernel<T>, blocks_for(op.rows * op.width), kThreads, 0, stream, op); });
}

template <class T>
__global__ void combine_rows_kernel(CombineRowsOp op) {
  for (std::int64_t i = first_element(); i < op.tokens * op.width; i += element_step()) {
    const std::int64_t token = i / op.width;
    const std::int64_t* experts = static_cast<const std::int64_t*>(op.indices) + token * op.k;
    float sum = 0;
    std::int32_t last = -1;
    for (std::int64_t n = 0; n < op.k; ++n) {
      std::int64_t next = -1;  // the choice with the smallest place behind `last`: places rise with the experts
      for (std::int64_t j = 0; j < op.k; ++j) {
        const std::int32_t place = op.places[token * op.k + j];
        if (place > last && (next < 0 || place < op.places[token * op.k + next])) next = j;
      }
      if (next < 0) break;
      last = op.places[token * op.k + next];
      const std::int64_t at = op.columns == 0 ? token * op.k + next : token * op.columns + experts[next];
      sum += widen(static_cast<const T*>(op.rows)[last * op.width + i % op.width]) *
             widen(static_cast<const T*>(op.weights)[at]);
    }
    static_cast<T*>(op.to)[i] = narrow<T>(sum);
  }
}

inline void launch_combine_rows(const CombineRowsOp& op, Stream stream) {
  if (op.tokens * op.width == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(combine_rows_kernel<T>, blocks_for(op.tokens * op.width), kThreads, 0, stream, op);
  });
}

}  // namespace tpsim::exec::cuda
