// What a device is asked to compute: one plain struct per operation. Pointers are to the device's memory; tensors are
// dense and row-major unless strides (in elements) are given. Read by the device's own source, so nothing but numbers.
#pragma once

#include <cstdint>

namespace tpsim::exec {

// How real numbers lie in the device's memory. Sums are taken in fp32.
enum class Stored : int { fp32, bf16, fp16 };
inline int size_of(Stored stored) { return stored == Stored::fp32 ? 4 : 2; }

inline constexpr int kDims = 8;
struct Strided {
  int rank = 0;
  std::int64_t extent[kDims] = {};
};
struct Strides {
  std::int64_t of[kDims] = {};
};

// to[i...] = from[i...] of elements of 2, 4 or 8 bytes.
struct CopyOp {
  void* to = nullptr;
  const void* from = nullptr;
  int element_bytes = 4;
  Strided extents;
  Strides to_strides, from_strides;
};

enum class BinaryFunction : int { add, sub, mul, div };
struct BinaryOp {
  Stored stored = Stored::fp32;
  BinaryFunction function = BinaryFunction::add;
  void* to = nullptr;  // dense
  const void *a = nullptr, *b = nullptr;
  Strided extents;
  Strides a_strides, b_strides;  // 0 where one element serves all
};

enum class UnaryFunction : int {
  silu,
  gelu,
  gelu_tanh,
  quick_gelu,
  relu,
  relu2,
  sigmoid,
  tanh,
  rsqrt,
  exp,
  softplus,
  identity,
  softcap,
  clamp,  // `number`: the limit
  xielu,  // own: slopes and, where given, beta and eps
  scale,
  shift,  // by `number`
};
struct UnaryOp {
  Stored stored = Stored::fp32;
  UnaryFunction function = UnaryFunction::identity;
  double number = 0;
  void* to = nullptr;
  const void* from = nullptr;
  std::int64_t count = 0;
  const void* own[4] = {};
};

// Whole numbers (int64).
struct ShiftIdsOp {
  void* to = nullptr;
  const void* from = nullptr;  // null: 0, 1, 2 ...
  std::int64_t count = 0, by = 0;
};

enum class RowFunction : int { softmax, normalise };
struct RowsOp {
  Stored stored = Stored::fp32;
  RowFunction function = RowFunction::softmax;
  void* to = nullptr;
  const void* from = nullptr;
  std::int64_t rows = 0, columns = 0;
};

struct NormOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void* from = nullptr;
  const void *weight = nullptr, *bias = nullptr;  // [columns]
  std::int64_t rows = 0, columns = 0;
  bool centred = false;
  double eps = 0, offset = 0;
};

// x [.., positions, width]; cos, sin [known or 1, columns].
struct RotateOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void *from = nullptr, *cos = nullptr, *sin = nullptr;
  std::int64_t rows = 0, positions = 1, known = 1, width = 0, columns = 0;
  bool interleaved = false, half = false;
};

inline constexpr int kHeldRanges = 8;
struct EmbeddingOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void *ids = nullptr, *table = nullptr;
  std::int64_t count = 0, width = 0, table_rows = 0;
  double scale = 1;
  int held = 0;  // ranges; 0 = all rows from 0
  std::int64_t begin[kHeldRanges] = {}, end[kHeldRanges] = {};
};

// c [batch][m, n] = a [m, k] times b; b is [n, k], or [k, n] where `transposed`.
struct ProductOp {
  Stored stored = Stored::fp32;
  bool tf32 = false;  // of fp32: products of 10 bits of mantissa
  void* c = nullptr;
  const void *a = nullptr, *b = nullptr, *bias = nullptr;  // bias [n]
  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  bool transposed = false;
};

// New queries over the keys so far; see kernels/attention.h. Heads h use the key head h / key_share, the value head
// h / value_share and the query head min(h, query_heads - 1).
struct AttentionOp {
  Stored stored = Stored::fp32;
  void* out = nullptr;  // [batch, queries, heads, value_width]
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  const void* sinks = nullptr;    // [heads]
  const void* bias = nullptr;     // of head h, query i, key j: bias_strides
  const float* slopes = nullptr;  // [heads], ALiBi
  std::int64_t batch = 1, heads = 1, query_heads = 1, key_heads = 1, value_heads = 1;
  std::int64_t key_share = 1, value_share = 1;
  std::int64_t queries = 1, keys = 1, width = 1, value_width = 1;
  std::int64_t key_room = 1;  // positions that lie in memory for each key and value head
  std::int64_t bias_batch = 0, bias_head = 0, bias_query = 0;
  std::int64_t window = 0, chunk = 0;
  double scale = 0, softcap = 0;
  bool causal = true;
};

struct TopkOp {
  Stored stored = Stored::fp32;
  void *weights = nullptr, *indices = nullptr;      // [rows, k]
  const void *scores = nullptr, *choice = nullptr;  // [rows, experts]; choice: null = the scores
  std::int64_t rows = 0, experts = 0, k = 1;
  std::int64_t groups = 0, keep_groups = 0, group_best = 2;
};

struct ScatterRoutesOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;  // [rows, experts]
  const void *weights = nullptr, *indices = nullptr;
  std::int64_t rows = 0, k = 1, experts = 0;
};

struct OwnRoutesOp {
  Stored stored = Stored::fp32;
  void *own_weights = nullptr, *own_indices = nullptr;
  const void *weights = nullptr, *indices = nullptr;
  std::int64_t rows = 0, k = 1, held = 0, rank = 0;
  std::int64_t columns = 0;  // of dense weights; 0 = a weight per index
};

// Choices of all tokens sorted by expert, in order: place i of the sorted rows comes from choice order[i]; expert e has
// the places offsets[e] .. offsets[e + 1]. Indices beyond the experts are no one's: their place is -1.
struct SortRoutesOp {
  std::int32_t *order = nullptr, *places = nullptr, *offsets = nullptr;  // [choices] twice, [experts + 1]
  const void* indices = nullptr;
  std::int64_t choices = 0, experts = 0;
};

// to [choices, width]: row order[i] / k of x.
struct GatherRowsOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void* from = nullptr;
  const std::int32_t *order = nullptr, *offsets = nullptr;
  std::int64_t choices = 0, k = 1, width = 0, experts = 0;
};

// Rows of expert e times its matrix: c [rows, n] = a [rows, inner] b[e]; b [experts][n, inner], or [inner, n].
struct GroupedProductOp {
  Stored stored = Stored::fp32;
  void* c = nullptr;
  const void *a = nullptr, *b = nullptr, *bias = nullptr;  // bias [experts, n]
  const std::int32_t* offsets = nullptr;
  std::int64_t rows = 0, n = 0, inner = 0, experts = 0;  // rows: the most there can be
  bool transposed = false;
};

enum class GateFunction : int { plain, multiplied, gpt_oss, clamped };
// to [rows, inner] of from [rows, width]; plain: one function of all columns.
struct GateOp {
  Stored stored = Stored::fp32;
  GateFunction gate = GateFunction::multiplied;
  UnaryFunction function = UnaryFunction::silu;
  void* to = nullptr;
  const void* from = nullptr;
  std::int64_t rows = 0, width = 0;
  double limit = 0;
  bool interleaved = false;
};

// to [tokens, width] = sum over the experts, in their order, of their rows times the weights of the choices.
struct CombineRowsOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void *rows = nullptr, *weights = nullptr, *indices = nullptr;
  const std::int32_t* places = nullptr;
  std::int64_t tokens = 0, k = 1, width = 0;
  std::int64_t columns = 0;  // of dense weights [tokens, columns]; 0 = a weight per choice
};

// to [outer, inner] = sum over n of from [outer, n, inner]
struct SumOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void* from = nullptr;
  std::int64_t outer = 1, n = 1, inner = 1;
};

inline constexpr int kMostParts = 64;
// to = parts[0] + parts[1] ..., in this order, rounded once.
struct SumPartsOp {
  Stored stored = Stored::fp32;
  void* to = nullptr;
  const void* parts[kMostParts] = {};
  int count = 0;
  std::int64_t numbers = 0;
};

}  // namespace tpsim::exec
