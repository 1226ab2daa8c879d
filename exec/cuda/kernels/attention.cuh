// Attention tile by tile with a running softmax (FlashAttention, arXiv 2205.14135; work split over the keys for short
// queries as in Flash-Decoding). Rows of a block are (query, head) pairs that share their key and value head, so one
// kernel serves prompts and single tokens.
#pragma once

#include "exec/cuda/kernels/rows.cuh"
#include "exec/cuda/kernels/tile.cuh"

namespace tpsim::exec::cuda {

constexpr int kAttentionThreads = 128;

struct AttentionTiling {
  int rows = 64, keys = 64;  // of a tile
  int share = 1;             // heads that share key and value head
  int splits = 1;            // of the keys
  std::int64_t row_tiles = 1;
  std::size_t shared_bytes = 0;
  // Where the keys are split: each part's unnormalised output, its largest score and its sum.
  float *outputs = nullptr, *most = nullptr, *sums = nullptr;
};

__host__ __device__ inline int padded(std::int64_t width) {
  return static_cast<int>((width + kTile - 1) / kTile * kTile) + 8;  // 8 more against bank conflicts
}

// The parts of a block's shared memory.
template <class T>
struct AttentionShared {
  int width, value_width, score_width;  // strides
  float *scores, *out, *most, *sum, *factor;
  T *q, *k, *v, *p;

  __host__ __device__ AttentionShared(unsigned char* memory, const AttentionOp& op, const AttentionTiling& t)
      : width(padded(op.width)), value_width(padded(op.value_width)), score_width(padded(t.keys)) {
    scores = reinterpret_cast<float*>(memory);
    out = scores + t.rows * score_width;
    most = out + t.rows * value_width;
    sum = most + t.rows;
    factor = sum + t.rows;
    q = reinterpret_cast<T*>(factor + 2 * t.rows);
    k = q + t.rows * width;
    v = k + t.keys * width;
    p = v + t.keys * value_width;
  }
  static std::size_t bytes(const AttentionOp& op, const AttentionTiling& t) {
    const int width = padded(op.width), values = padded(op.value_width), scores = padded(t.keys);
    const int floats = t.rows * (scores + values + 4);
    const int numbers = t.rows * (width + scores) + t.keys * (width + values);
    return static_cast<std::size_t>(floats) * sizeof(float) + static_cast<std::size_t>(numbers) * sizeof(T);
  }
};

// One block's work.
template <class T>
class AttentionBlock {
public:
  __device__ AttentionBlock(const AttentionOp& op, const AttentionTiling& tiling, unsigned char* memory)
      : op_(op), t_(tiling), s_(memory, op, tiling) {
    const std::int64_t groups = op.heads / t_.share;
    batch_ = blockIdx.y / groups;
    first_head_ = blockIdx.y % groups * t_.share;
    first_row_ = static_cast<std::int64_t>(blockIdx.x) * t_.rows;
    rows_ = op.queries * t_.share - first_row_;
    if (rows_ > t_.rows) rows_ = t_.rows;
    scale_ = static_cast<float>(op.scale != 0 ? op.scale : 1 / sqrt(static_cast<double>(op.width)));
  }

  __device__ void run() {
    load_queries();
    std::int64_t begin, end;
    own_keys(begin, end);
    for (std::int64_t first = begin; first < end; first += t_.keys) {
      const int keys = static_cast<int>(end - first < t_.keys ? end - first : t_.keys);
      __syncthreads();
      load(s_.k, s_.width, keys_of(op_.k, op_.key_heads, op_.key_share, op_.width, first), op_.width, keys, t_.keys);
      load(s_.v, s_.value_width, keys_of(op_.v, op_.value_heads, op_.value_share, op_.value_width, first),
           op_.value_width, keys, t_.keys);
      __syncthreads();
      multiply_keys();
      __syncthreads();
      weigh(first, keys);
      __syncthreads();
      add_values();
    }
    __syncthreads();
    if (t_.splits == 1)
      write_result();
    else
      write_part();
  }

private:
  static constexpr float kNothing = -INFINITY;
  __device__ static int warp() { return static_cast<int>(threadIdx.x / kWarp); }
  __device__ static int lane() { return static_cast<int>(threadIdx.x % kWarp); }
  __device__ static constexpr int warps() { return kAttentionThreads / static_cast<int>(kWarp); }

  __device__ std::int64_t query_of(int row) const { return (first_row_ + row) / t_.share; }
  __device__ std::int64_t head_of(int row) const { return first_head_ + (first_row_ + row) % t_.share; }
  __device__ std::int64_t position_of(std::int64_t query) const { return op_.keys - op_.queries + query; }
  __device__ std::int64_t first_seen(std::int64_t position) const {
    std::int64_t first = 0;
    if (op_.window > 0 && position - op_.window + 1 > first) first = position - op_.window + 1;
    if (op_.chunk > 0 && position / op_.chunk * op_.chunk > first) first = position / op_.chunk * op_.chunk;
    return first;
  }

  // Keys that a row of this block sees, and of them this block's part.
  __device__ void own_keys(std::int64_t& begin, std::int64_t& end) const {
    begin = 0;
    end = op_.keys;
    if (op_.causal && rows_ > 0) {
      begin = first_seen(position_of(query_of(0)));
      end = position_of(query_of(static_cast<int>(rows_) - 1)) + 1;
    }
    const std::int64_t each = ((end - begin + t_.splits - 1) / t_.splits + t_.keys - 1) / t_.keys * t_.keys;
    begin += each * blockIdx.z;
    if (end > begin + each) end = begin + each;
  }

  // [rows, width] into shared memory, zeros where there is nothing.
  __device__ void load(T* to, int stride, const T* from, std::int64_t width, int rows, int all) const {
    for (int i = static_cast<int>(threadIdx.x); i < all * stride; i += kAttentionThreads) {
      const int row = i / stride, column = i % stride;
      to[i] = row < rows && column < width ? from[row * width + column] : narrow<T>(0);
    }
  }

  __device__ const T* keys_of(const void* all, std::int64_t heads, std::int64_t share, std::int64_t width,
                              std::int64_t first) const {
    const std::int64_t head = first_head_ / share;
    return static_cast<const T*>(all) + ((batch_ * heads + head) * op_.key_room + first) * width;
  }

  __device__ void load_queries() {
    for (int i = static_cast<int>(threadIdx.x); i < t_.rows * s_.width; i += kAttentionThreads) {
      const int row = i / s_.width, column = i % s_.width;
      s_.q[i] = narrow<T>(0);
      if (row >= rows_ || column >= op_.width) continue;
      const std::int64_t head = op_.query_heads == 1 ? 0 : head_of(row);
      s_.q[i] = static_cast<const T*>(
          op_.q)[((batch_ * op_.query_heads + head) * op_.queries + query_of(row)) * op_.width + column];
    }
    for (int i = static_cast<int>(threadIdx.x); i < t_.rows * s_.value_width; i += kAttentionThreads) s_.out[i] = 0;
    for (int i = static_cast<int>(threadIdx.x); i < t_.rows; i += kAttentionThreads) {
      s_.most[i] = kNothing;
      s_.sum[i] = 0;
    }
  }

  __device__ void multiply_keys() {
    const int across = t_.keys / kTile;
    for (int tile = warp(); tile < t_.rows / kTile * across; tile += warps()) {
      const int row = tile / across * kTile, column = tile % across * kTile;
      TileSum<T> sums;
      sums.clear();
      for (int k = 0; k < op_.width; k += kTile)
        sums.template add_product<true>(s_.q + row * s_.width + k, s_.width, s_.k + column * s_.width + k, s_.width);
      sums.store(s_.scores + row * s_.score_width + column, s_.score_width);
    }
  }

  __device__ float score(int row, std::int64_t key, float dot) const {
    const std::int64_t query = query_of(row), position = position_of(query), head = head_of(row);
    if (op_.causal && (key > position || key < first_seen(position))) return kNothing;
    float x = dot * scale_;
    if (op_.softcap != 0) x = static_cast<float>(op_.softcap) * tanhf(x / static_cast<float>(op_.softcap));
    if (op_.bias != nullptr)
      x += widen(static_cast<const T*>(
          op_.bias)[batch_ * op_.bias_batch + head * op_.bias_head + query * op_.bias_query + key]);
    if (op_.slopes != nullptr) x += op_.slopes[head] * static_cast<float>(key);
    return x;
  }

  // Scores become weights against the largest score so far; what was summed before is scaled to it.
  __device__ void weigh(std::int64_t first, int keys) {
    for (int row = warp(); row < t_.rows; row += warps()) {
      float* scores = s_.scores + row * s_.score_width;
      float most = kNothing, sum = 0;
      for (int j = lane(); j < t_.keys; j += static_cast<int>(kWarp)) {
        scores[j] = row < rows_ && j < keys ? score(row, first + j, scores[j]) : kNothing;
        most = Most::of(most, scores[j]);
      }
      const float before = s_.most[row];
      most = Most::of(over_warp<Most>(most), before);
      for (int j = lane(); j < t_.keys; j += static_cast<int>(kWarp)) {
        const float weight = most == kNothing ? 0.0F : expf(scores[j] - most);
        sum += weight;
        s_.p[row * s_.score_width + j] = narrow<T>(weight);
      }
      sum = over_warp<Sum>(sum);
      const float factor = before == kNothing ? 0.0F : expf(before - most);
      for (int c = lane(); c < s_.value_width; c += static_cast<int>(kWarp)) s_.out[row * s_.value_width + c] *= factor;
      if (lane() != 0) continue;
      s_.sum[row] = s_.sum[row] * factor + sum;
      s_.most[row] = most;
    }
  }

  __device__ void add_values() {
    const int across = static_cast<int>((op_.value_width + kTile - 1) / kTile);
    for (int tile = warp(); tile < t_.rows / kTile * across; tile += warps()) {
      const int row = tile / across * kTile, column = tile % across * kTile;
      float* out = s_.out + row * s_.value_width + column;
      TileSum<T> sums;
      sums.load(out, s_.value_width);
      for (int k = 0; k < t_.keys; k += kTile)
        sums.template add_product<false>(s_.p + row * s_.score_width + k, s_.score_width,
                                         s_.v + k * s_.value_width + column, s_.value_width);
      sums.store(out, s_.value_width);
    }
  }

  __device__ std::int64_t out_row(int row) const {
    return (batch_ * op_.queries + query_of(row)) * op_.heads + head_of(row);
  }

  __device__ void write_result() {
    for (int i = static_cast<int>(threadIdx.x); i < rows_ * op_.value_width; i += kAttentionThreads) {
      const int row = i / static_cast<int>(op_.value_width), column = i % static_cast<int>(op_.value_width);
      float most = s_.most[row], sum = s_.sum[row], out = s_.out[row * s_.value_width + column];
      if (op_.sinks != nullptr) {
        const float sink = widen(static_cast<const T*>(op_.sinks)[head_of(row)]), larger = Most::of(most, sink);
        const float factor = expf(most - larger);
        sum = sum * factor + expf(sink - larger);
        out *= factor;
      }
      static_cast<T*>(op_.out)[out_row(row) * op_.value_width + column] = narrow<T>(out / sum);
    }
  }

  __device__ void write_part() {
    const std::int64_t part = op_.batch * op_.queries * op_.heads * blockIdx.z;
    for (int i = static_cast<int>(threadIdx.x); i < rows_ * op_.value_width; i += kAttentionThreads) {
      const int row = i / static_cast<int>(op_.value_width), column = i % static_cast<int>(op_.value_width);
      t_.outputs[(part + out_row(row)) * op_.value_width + column] = s_.out[row * s_.value_width + column];
    }
    for (int row = static_cast<int>(threadIdx.x); row < rows_; row += kAttentionThreads) {
      t_.most[part + out_row(row)] = s_.most[row];
      t_.sums[part + out_row(row)] = s_.sum[row];
    }
  }

  const AttentionOp& op_;
  const AttentionTiling& t_;
  AttentionShared<T> s_;
  std::int64_t batch_, first_head_, first_row_, rows_;
  float scale_;
};

template <class T>
__global__ void __launch_bounds__(kAttentionThreads) attention_kernel(AttentionOp op, AttentionTiling tiling) {
  TPSIM_DYNAMIC_SHARED(memory);
  AttentionBlock<T>(op, tiling, memory).run();
}

// The parts of one output row, weighed by their largest scores.
template <class T>
__global__ void join_parts_kernel(AttentionOp op, AttentionTiling t) {
  const std::int64_t rows = op.batch * op.queries * op.heads;
  for (std::int64_t i = first_element(); i < rows * op.value_width; i += element_step()) {
    const std::int64_t row = i / op.value_width, column = i % op.value_width;
    const float sink = op.sinks == nullptr ? -INFINITY : widen(static_cast<const T*>(op.sinks)[row % op.heads]);
    float most = sink, sum = 0, out = 0;
    for (int s = 0; s < t.splits; ++s) most = Most::of(most, t.most[s * rows + row]);
    for (int s = 0; s < t.splits; ++s) {
      const float own = t.most[s * rows + row], factor = own == -INFINITY ? 0.0F : expf(own - most);
      sum += t.sums[s * rows + row] * factor;
      out += t.outputs[(s * rows + row) * op.value_width + column] * factor;
    }
    if (op.sinks != nullptr) sum += expf(sink - most);
    static_cast<T*>(op.out)[i] = narrow<T>(out / sum);
  }
}

// What a device has to choose tiles by.
struct AttentionLimits {
  std::size_t shared_bytes = 96 * 1024;  // of a block
  int multiprocessors = 1;
};

inline std::size_t attention_shared_bytes(const AttentionOp& op, const AttentionTiling& t) {
  std::size_t bytes = 0;
  with_stored(op.stored, [&]<class T>(T) { bytes = AttentionShared<T>::bytes(op, t); });
  return bytes;
}

// Tiles that fit into shared memory; keys are split where there are too few blocks to fill the device. Where even the
// smallest tiles are too large shared_bytes is above the limit.
inline AttentionTiling tile_attention(const AttentionOp& op, const AttentionLimits& limits) {
  AttentionTiling t;
  t.share = static_cast<int>(op.key_share < op.value_share ? op.key_share : op.value_share);
  const std::int64_t rows = op.queries * t.share;
  while (t.rows > kTile && rows <= t.rows / 2) t.rows /= 2;
  while (attention_shared_bytes(op, t) > limits.shared_bytes && (t.rows > kTile || t.keys > kTile)) {
    if (t.keys > kTile && t.keys >= t.rows)
      t.keys /= 2;
    else
      t.rows /= 2;
  }
  t.row_tiles = (rows + t.rows - 1) / t.rows;
  t.shared_bytes = attention_shared_bytes(op, t);
  constexpr int kMostSplits = 64, kLeastTiles = 2;
  const std::int64_t blocks = t.row_tiles * op.batch * (op.heads / t.share);
  const std::int64_t wanted = 2 * limits.multiprocessors / (blocks > 0 ? blocks : 1);
  const std::int64_t most = op.keys / (t.keys * kLeastTiles);
  std::int64_t splits = wanted < most ? wanted : most;
  if (splits > kMostSplits) splits = kMostSplits;
  if (splits > 1) t.splits = static_cast<int>(splits);
  return t;
}

// Numbers (float) of the three arrays of parts, in their order; 0 where the keys are not split.
inline std::int64_t part_numbers(const AttentionOp& op, const AttentionTiling& t) {
  return t.splits == 1 ? 0 : op.batch * op.queries * op.heads * t.splits * (op.value_width + 2);
}

// `parts`: memory for part_numbers().
inline void launch_attention(const AttentionOp& op, AttentionTiling t, float* parts, Stream stream) {
  const std::int64_t rows = op.batch * op.queries * op.heads;
  if (rows == 0) return;
  if (t.splits > 1) {
    t.outputs = parts;
    t.most = parts + rows * t.splits * op.value_width;
    t.sums = t.most + rows * t.splits;
  }
  const dim3 grid(static_cast<unsigned>(t.row_tiles), static_cast<unsigned>(op.batch * (op.heads / t.share)),
                  static_cast<unsigned>(t.splits));
  with_stored(op.stored, [&]<class T>(T) {
    launch(attention_kernel<T>, grid, unsigned{kAttentionThreads}, t.shared_bytes, stream, op, t);
    if (t.splits > 1) launch(join_parts_kernel<T>, blocks_for(rows * op.value_width), kThreads, 0, stream, op, t);
  });
}

}  // namespace tpsim::exec::cuda
