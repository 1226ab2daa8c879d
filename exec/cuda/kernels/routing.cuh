// The choice of experts, and tokens sorted by expert.
#pragma once

#include "exec/cuda/kernels/rows.cuh"

namespace tpsim::exec::cuda {

// The larger of two scores; of equal ones that with the smaller index.
struct Candidate {
  float score = -INFINITY;
  int index = 0x7FFFFFFF;
};
__device__ inline Candidate better(Candidate a, Candidate b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index) ? a : b;
}
__device__ inline Candidate best_of_warp(Candidate own) {
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) {
    Candidate other;
    other.score = __shfl_xor_sync(0xFFFFFFFFu, own.score, mask);
    other.index = __shfl_xor_sync(0xFFFFFFFFu, own.index, mask);
    own = better(own, other);
  }
  return own;
}

// The best of values[0, n) that are not taken yet, found by a whole warp.
__device__ inline Candidate best_left(const float* values, const unsigned char* taken, int n) {
  Candidate best;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(kWarp))
    if (taken[i] == 0) best = better(best, {values[i], i});
  return best_of_warp(best);
}

// The sum of a group's best scores, by one thread.
__device__ inline float group_score(const float* scores, int size, int best) {
  float sum = 0;
  Candidate last{INFINITY, -1};
  for (int b = 0; b < best && b < size; ++b) {
    Candidate next;
    for (int i = 0; i < size; ++i) {
      const bool later = scores[i] < last.score || (scores[i] == last.score && i > last.index);
      if (later) next = better(next, {scores[i], i});
    }
    sum += next.score;
    last = next;
  }
  return sum;
}

// One warp per row. Shared memory: experts' scores, groups' scores, and what is taken.
template <class T>
__global__ void topk_kernel(TopkOp op) {
  TPSIM_DYNAMIC_SHARED(memory);
  const int n = static_cast<int>(op.experts), groups = static_cast<int>(op.groups);
  float *scores = reinterpret_cast<float*>(memory), *of_group = scores + n;
  unsigned char* taken = reinterpret_cast<unsigned char*>(of_group + groups);
  const std::int64_t row = blockIdx.x;
  const T* own = static_cast<const T*>(op.scores) + row * n;
  const T* by = op.choice == nullptr ? own : static_cast<const T*>(op.choice) + row * n;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(kWarp)) scores[i] = widen(by[i]);
  for (int i = static_cast<int>(threadIdx.x); i < n + groups; i += static_cast<int>(kWarp)) taken[i] = 0;
  __syncwarp();
  if (groups > 1) {
    const int size = n / groups;
    for (int g = static_cast<int>(threadIdx.x); g < groups; g += static_cast<int>(kWarp))
      of_group[g] = group_score(scores + g * size, size, static_cast<int>(op.group_best));
    __syncwarp();
    for (int i = 0; i < op.keep_groups && i < groups; ++i) {
      const Candidate best = best_left(of_group, taken + n, groups);
      __syncwarp();
      if (threadIdx.x == 0) taken[n + best.index] = 1;
      __syncwarp();
    }
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(kWarp))
      if (i / size >= groups || taken[n + i / size] == 0) scores[i] = 0;
    __syncwarp();
  }
  for (int i = 0; i < op.k; ++i) {
    const Candidate best = best_left(scores, taken, n);
    __syncwarp();
    if (threadIdx.x == 0) {
      taken[best.index] = 1;
      static_cast<T*>(op.weights)[row * op.k + i] = own[best.index];
      static_cast<std::int64_t*>(op.indices)[row * op.k + i] = best.index;
    }
    __syncwarp();
  }
}

inline void launch_topk(const TopkOp& op, Stream stream) {
  if (op.rows == 0) return;
  const auto shared = static_cast<std::size_t>((op.experts + op.groups) * 5);
  with_stored(op.stored, [&]<class T>(T) {
    launch(topk_kernel<T>, dim3(static_cast<unsigned>(op.rows)), kWarp, shared, stream, op);
  });
}

template <class T>
__global__ void scatter_routes_kernel(ScatterRoutesOp op) {
  for (std::int64_t i = first_element(); i < op.rows * op.experts; i += element_step()) {
    const std::int64_t row = i / op.experts, expert = i % op.experts;
    T found = narrow<T>(0);
    for (std::int64_t j = row * op.k; j < (row + 1) * op.k; ++j)
      if (static_cast<const std::int64_t*>(op.indices)[j] == expert) found = static_cast<const T*>(op.weights)[j];
    static_cast<T*>(op.to)[i] = found;
  }
}

inline void launch_scatter_routes(const ScatterRoutesOp& op, Stream stream) {
  if (op.rows * op.experts == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(scatter_routes_kernel<T>, blocks_for(op.rows * op.experts), kThreads, 0, stream, op);
  });
}

template <class T>
__global__ void own_routes_kernel(OwnRoutesOp op) {
  const T* weights = static_cast<const T*>(op.weights);
  T* own = static_cast<T*>(op.own_weights);
  for (std::int64_t i = first_element(); i < op.rows * op.k; i += element_step()) {
    const std::int64_t index = static_cast<const std::int64_t*>(op.indices)[i];
    const bool mine = index / op.held == op.rank;
    static_cast<std::int64_t*>(op.own_indices)[i] = mine ? index % op.held : op.held;
    if (op.columns == 0) own[i] = mine ? weights[i] : narrow<T>(0);
  }
  for (std::int64_t i = first_element(); op.columns > 0 && i < op.rows * op.held; i += element_step())
    own[i] = weights[i / op.held * op.columns + op.rank * op.held + i % op.held];
}

inline void launch_own_routes(const OwnRoutesOp& op, Stream stream) {
  if (op.rows == 0) return;
  with_stored(op.stored, [&]<class T>(T) {
    launch(own_routes_kernel<T>, blocks_for(op.rows * (op.k > op.held ? op.k : op.held)), kThreads, 0, stream, op);
  });
}

// offsets[e + 1] = choices of expert e; a block per expert.
static __global__ void count_routes_kernel(SortRoutesOp op) {
  float own = 0;
  const std::int64_t* indices = static_cast<const std::int64_t*>(op.indices);
  for (std::int64_t i = threadIdx.x; i < op.choices; i += blockDim.x)
    if (indices[i] == static_cast<std::int64_t>(blockIdx.x)) own += 1;
  own = over_block<Sum>(own);
  if (threadIdx.x == 0) op.offsets[blockIdx.x + 1] = static_cast<std::int32_t>(own);
}

// Counts become offsets; choices are no one's until a block finds them.
static __global__ void offset_routes_kernel(SortRoutesOp op) {
  if (threadIdx.x == 0) {
    op.offsets[0] = 0;
    for (std::int64_t e = 0; e < op.experts; ++e) op.offsets[e + 1] += op.offsets[e];
  }
  for (std::int64_t i = threadIdx.x; i < op.choices; i += blockDim.x) op.places[i] = -1;
}

// How many of the block's threads before this one have `one`, and of all.
__device__ inline int count_before(bool one, int& all) {
  __shared__ int counts[kThreads];
  counts[threadIdx.x] = one ? 1 : 0;
  __syncthreads();
  int before = 0;
  all = 0;
  for (unsigned t = 0; t < blockDim.x; ++t) {
    if (t < threadIdx.x) before += counts[t];
    all += counts[t];
  }
  __syncthreads();
  return before;
}

static __global__ void place_routes_kernel(SortRoutesOp op) {
  const std::int64_t* indices = static_cast<const std::int64_t*>(op.indices);
  std::int32_t next = op.offsets[blockIdx.x];
  for (std::int64_t first = 0; first < op.choices; first += blockDim.x) {
    const std::int64_t i = first + threadIdx.x;
    const bool mine = i < op.choices && indices[i] == static_cast<std::int64_t>(blockIdx.x);
    int all = 0;
    const std::int32_t place = next + count_before(mine, all);
    if (mine) {
      op.order[place] = static_cast<std::int32_t>(i);
      op.places[i] = place;
    }
    next += all;
  }
}

inline void launch_sort_routes(const SortRoutesOp& op, Stream stream) {
  const dim3 experts(static_cast<unsigned>(op.experts));
  launch(count_routes_kernel, experts, kThreads, 0, stream, op);
  launch(offset_routes_kernel, dim3(1), kThreads, 0, stream, op);
  launch(place_routes_kernel, experts, kThreads, 0, stream, op);
}

}  // namespace tpsim::exec::cuda
