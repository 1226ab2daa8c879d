// One thread per element: copies between strides, arithmetic with broadcasting, functions, look-ups, sums of few terms.
#pragma once

#include "exec/cuda/kernels/functions.cuh"

namespace tpsim::exec::cuda {

// Joins neighbouring dimensions that lie behind one another under all `n` strides, and drops extents of 1.
inline void join_dimensions(Strided& extents, Strides* const* strides, int n) {
  Strided joined;
  Strides kept[3];
  const auto is_outer = [&](int at, int d) {
    for (int s = 0; s < n; ++s)
      if (kept[s].of[at] != strides[s]->of[d] * extents.extent[d]) return false;
    return true;
  };
  for (int d = 0; d < extents.rank; ++d) {
    if (extents.extent[d] == 1) continue;
    const bool joins = joined.rank > 0 && is_outer(joined.rank - 1, d);
    const int at = joins ? joined.rank - 1 : joined.rank++;
    joined.extent[at] = joins ? joined.extent[at] * extents.extent[d] : extents.extent[d];
    for (int s = 0; s < n; ++s) kept[s].of[at] = strides[s]->of[d];
  }
  extents = joined;
  for (int s = 0; s < n; ++s) *strides[s] = kept[s];
}

inline std::int64_t count_of(const Strided& extents) {
  std::int64_t count = 1;
  for (int d = 0; d < extents.rank; ++d) count *= extents.extent[d];
  return count;
}

// Places of element i under two strides.
__device__ inline void places_of(std::int64_t i, const Strided& extents, const Strides& a, const Strides& b,
                                 std::int64_t& in_a, std::int64_t& in_b) {
  in_a = in_b = 0;
  for (int d = extents.rank - 1; d >= 0; --d) {
    const std::int64_t index = d == 0 ? i : i % extents.extent[d];
    in_a += index * a.of[d];
    in_b += index * b.of[d];
    i /= extents.extent[d];
  }
}

template <class T>
__global__ void copy_kernel(CopyOp op, std::int64_t count) {
  for (std::int64_t i = first_element(); i < count; i += element_step()) {
    std::int64_t to, from;
    places_of(i, op.extents, op.to_strides, op.from_strides, to, from);
    static_cast<T*>(op.to)[to] = static_cast<const T*>(op.from)[from];
  }
}

inline void launch_copy(CopyOp op, Stream stream) {
  const std::int64_t count = count_of(op.extents);
  if (count == 0) return;
  Strides* both[] = {&op.to_strides, &op.from_strides};
  join_dimensions(op.extents, both, 2);
  switch (op.element_bytes) {
    case 2: return launch(copy_kernel<std::uint16_t>, blocks_for(count), kThreads, 0, stream, op, count);
    case 4: return launch(copy_kernel<std::uint32_t>, blocks_for(count), kThreads, 0, stream, op, count);
    default: return launch(copy_kernel<std::uint64_t>, blocks_for(count), kThreads, 0, stream, op, count);
  }
}

template <class T>
__global__ void binary_kernel(BinaryOp op, std::int64_t count) {
  const T *a = static_cast<const T*>(op.a), *b = static_cast<const T*>(op.b);
  for (std::int64_t i = first_element(); i < count; i += element_step()) {
    std::int64_t in_a, in_b;
    places_of(i, op.extents, op.a_strides, op.b_strides, in_a, in_b);
    static_cast<T*>(op.to)[i] = narrow<T>(apply(op.function, widen(a[in_a]), widen(b[in_b])));
  }
}

inline void launch_binary(BinaryOp op, Stream stream) {
  const std::int64_t count = count_of(op.extents);
  if (count == 0) return;
  Strides* both[] = {&op.a_strides, &op.b_strides};
  join_dimensions(op.extents, both, 2);
  with_stored(op.stored,
              [&]<class T>(T) { launch(binary_kernel<T>, blocks_for(count), kThreads, 0, stream, op, count); });
}

template <class T>
__global__ void unary_kernel(UnaryOp op) {
  Xielu xielu;
  if (op.function == UnaryFunction::xielu) {
    if (op.own[2] != nullptr) xielu.beta = widen(*static_cast<const T*>(op.own[2]));
    if (op.own[3] != nullptr) xielu.eps = widen(*static_cast<const T*>(op.own[3]));
    xielu.positive = softplus_of(widen(*static_cast<const T*>(op.own[0])));
    xielu.negative = xielu.beta + softplus_of(widen(*static_cast<const T*>(op.own[1])));
  }
  const float number = static_cast<float>(op.number);
  for (std::int64_t i = first_element(); i < op.count; i += element_step())
    static_cast<T*>(op.to)[i] = narrow<T>(apply(op.function, widen(static_cast<const T*>(op.from)[i]), number, xielu));
}

inline void launch_unary(const UnaryOp& op, Stream stream) {
  if (op.count == 0) return;
  with_stored(op.stored, [&]<class T>(T) { launch(unary_kernel<T>, blocks_for(op.count), kThreads, 0, stream, op); });
}

static __global__ void shift_ids_kernel(ShiftIdsOp op) {
  for (std::int64_t i = first_element(); i < op.count; i += element_step())
    static_cast<std::int64_t*>(op.to)[i] =
        (op.from == nullptr ? i : static_cast<const std::int64_t*>(op.from)[i]) + op.by;
}

inline void launch_shift_ids(const ShiftIdsOp& op, Stream stream) {
  if (op.count > 0) launch(shift_ids_kernel, blocks_for(op.count), kThreads, 0, stream, op);
}

template <class T>
__global__ void rotate_kernel(RotateOp op) {
  const std::int64_t angles = op.half ? op.columns : op.columns / 2, pairs = op.rows * op.width;
  for (std::int64_t i = first_element(); i < pairs; i += element_step()) {
    const std::int64_t row = i / op.width, column = i % op.width;
    const T* from = static_cast<const T*>(op.from) + row * op.width;
    T* to = static_cast<T*>(op.to) + row * op.width;
    if (column >= 2 * angles) {
      to[column] = from[column];
      continue;
    }
    const std::int64_t angle = op.interleaved ? column / 2 : column % angles;
    const bool second = op.interleaved ? column % 2 == 1 : column >= angles;
    const std::int64_t partner = op.interleaved ? column ^ 1 : second ? column - angles : column + angles;
    const std::int64_t at = (op.known == 1 ? 0 : row % op.positions) * op.columns + angle;
    const float c = widen(static_cast<const T*>(op.cos)[at]), s = widen(static_cast<const T*>(op.sin)[at]);
    const float own = widen(from[column]), other = widen(from[partner]);
    to[column] = narrow<T>(second ? own * c + other * s : own * c - other * s);
  }
}

inline void launch_rotate(const RotateOp& op, Stream stream) {
  if (op.rows * op.width == 0) return;
  with_stored(op.stored,
              [&]<class T>(T) { launch(rotate_kernel<T>, blocks_for(op.rows * op.width), kThreads, 0, stream, op); });
}

__device__ inline std::int64_t table_row(const EmbeddingOp& op, std::int64_t id) {
  if (op.held == 0) return id >= 0 && id < op.table_rows ? id : -1;
  std::int64_t before = 0;
  for (int r = 0; r < op.held; ++r) {
    if (id >= op.begin[r] && id < op.end[r]) return before + id - op.begin[r];
    before += op.end[r] - op.begin[r];
  }
  return -1;
}

template <class T>
__global__ void embedding_kernel(EmbeddingOp op) {
  for (std::int64_t i = first_element(); i < op.count * op.width; i += element_step()) {
    const std::int64_t row = table_row(op, static_cast<const std::int64_t*>(op.ids)[i / op.width]);
    const float x = row < 0 ? 0.0F : widen(static_cast<const T*>(op.table)[row * op.width + i % op.width]);
    static_cast<T*>(op.to)[i] = narrow<T>(x * static_cast<float>(op.scale));
  }
}

inline void launch_embedding(const EmbeddingOp& op, Stream stream) {
  if (op.count * op.width == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(embedding_kernel<T>, blocks_for(op.count * op.width), kThreads, 0, stream, op);
  });
}

template <class T>
__global__ void sum_kernel(SumOp op) {
  for (std::int64_t i = first_element(); i < op.outer * op.inner; i += element_step()) {
    const T* from = static_cast<const T*>(op.from) + i / op.inner * op.n * op.inner + i % op.inner;
    float sum = 0;
    for (std::int64_t j = 0; j < op.n; ++j) sum += widen(from[j * op.inner]);
    static_cast<T*>(op.to)[i] = narrow<T>(sum);
  }
}

inline void launch_sum(const SumOp& op, Stream stream) {
  if (op.outer * op.inner == 0) return;
  with_stored(op.stored,
              [&]<class T>(T) { launch(sum_kernel<T>, blocks_for(op.outer * op.inner), kThreads, 0, stream, op); });
}

template <class T>
__global__ void sum_parts_kernel(SumPartsOp op) {
  for (std::int64_t i = first_element(); i < op.numbers; i += element_step()) {
    float sum = widen(static_cast<const T*>(op.parts[0])[i]);
    for (int p = 1; p < op.count; ++p) sum += widen(static_cast<const T*>(op.parts[p])[i]);
    static_cast<T*>(op.to)[i] = narrow<T>(sum);
  }
}

inline void launch_sum_parts(const SumPartsOp& op, Stream stream) {
  if (op.numbers == 0) return;
  with_stored(op.stored,
              [&]<class T>(T) { launch(sum_parts_kernel<T>, blocks_for(op.numbers), kThreads, 0, stream, op); });
}

}  // namespace tpsim::exec::cuda
