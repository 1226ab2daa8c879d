#include "exec/kernels/vector_attention.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "exec/kernels/isa/vector_kernels.h"
#include "exec/kernels/workers.h"

namespace tpsim::exec {
namespace {

constexpr std::int64_t kBlock = 48;      // queries whose scores are computed together
constexpr std::int64_t kFewQueries = 4;  // up to here keys are read as they lie

std::int64_t rounded_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

struct Keys {
  std::int64_t begin, end;
};

// Keys that the query sees.
Keys keys_of(const AttentionSettings& s, const AttentionSizes& n, std::int64_t query) {
  const std::int64_t position = n.keys - n.queries + query;
  return s.causal ? Keys{first_key(s, position), position + 1} : Keys{0, n.keys};
}

float scale_of(const AttentionSettings& s, const AttentionSizes& n) {
  return static_cast<float>(s.scale != 0 ? s.scale : 1 / std::sqrt(static_cast<double>(n.width)));
}

// Scores of a query's keys -> their exponentials; returns what all weights are to be divided by.
float weigh(const AttentionSettings& s, const AttentionHead<float>& head, std::int64_t query, const Keys& keys,
            float* scores) {
  const VectorKernels& kernels = vector_kernels();
  const std::int64_t count = keys.end - keys.begin;
  float* x = scores + keys.begin;
  if (s.softcap != 0) kernels.soft_cap(x, count, static_cast<float>(s.softcap));
  if (head.bias != nullptr) {
    const float* bias = head.bias + query * head.bias_stride + keys.begin;
    for (std::int64_t j = 0; j < count; ++j) x[j] += bias[j];
  }
  if (s.alibi)
    for (std::int64_t j = 0; j < count; ++j) x[j] += head.slope * static_cast<float>(keys.begin + j);
  float most = kernels.largest(x, count);
  if (head.sink != nullptr) most = std::max(most, *head.sink);
  return kernels.exponentials(x, count, most) + (head.sink == nullptr ? 0 : std::exp(*head.sink - most));
}

// Few queries: every key is used once, so packing would cost more than it saves.
void few_queries(const AttentionHead<float>& head, const AttentionSizes& n, const AttentionSettings& s,
                 std::vector<float>& room) {
  room.resize(static_cast<std::size_t>(n.width + n.keys));
  float *q = room.data(), *scores = q + n.width;
  for (std::int64_t i = 0; i < n.queries; ++i) {
    const Keys keys = keys_of(s, n, i);
    for (std::int64_t c = 0; c < n.width; ++c) q[c] = head.q[i * n.width + c] * scale_of(s, n);
    vector_kernels().dots(head.k + keys.begin * n.width, keys.end - keys.begin, n.width, q, scores + keys.begin);
    const float sum = weigh(s, head, i, keys, scores);
    float* out = head.out + i * head.out_stride;
    vector_kernels().weighted_sum(head.v + keys.begin * n.values, keys.end - keys.begin, n.values, scores + keys.begin,
                                  out);
    for (std::int64_t c = 0; c < n.values; ++c) out[c] /= sum;
  }
}

// Keys and values of one head as products want them.
struct PackedHead {
  std::vector<float> keys, values;

  PackedHead(const AttentionHead<float>& head, const AttentionSizes& n) {
    const VectorKernels& kernels = vector_kernels();
    const std::int64_t key_panels = rounded_up(n.keys, kernels.panel) / kernels.panel,
                       value_panels = rounded_up(n.values, kernels.panel) / kernels.panel;
    keys.resize(static_cast<std::size_t>(key_panels * kernels.panel * rounded_up(n.width, 2)));
    values.resize(static_cast<std::size_t>(value_panels * kernels.panel * rounded_up(n.keys, 2)));
    kernels.pack(head.k, keys.data(), n.keys, n.width, n.width, false, 0, key_panels);
    kernels.pack(head.v, values.data(), n.values, n.keys, n.values, true, 0, value_panels);
  }
};

// Queries [first, last) of one head: scores of the block, weights row by row, values.
class BlockAttention {
public:
  BlockAttention(const AttentionHead<float>& head, const PackedHead& packed, const AttentionSizes& sizes,
                 const AttentionSettings& settings)
      : head_(head), packed_(packed), n_(sizes), s_(settings) {}

  void run(std::int64_t first, std::int64_t last, std::vector<float>& room) {
    const VectorKernels& kernels = vector_kernels();
    const std::int64_t rows = last - first, stride = rounded_up(n_.keys, kernels.panel);
    const std::int64_t begin = keys_of(s_, n_, first).begin / kernels.panel * kernels.panel;
    const std::int64_t end = keys_of(s_, n_, last - 1).end;
    room.resize(static_cast<std::size_t>(rows * (n_.width + stride) + kernels.room(rows, std::max(n_.width, n_.keys))));
    float *q = room.data(), *scores = q + rows * n_.width, *scratch = scores + rows * stride;
    for (std::int64_t i = 0; i < rows * n_.width; ++i) q[i] = head_.q[first * n_.width + i] * scale_of(s_, n_);
    kernels.product(q, n_.width, packed_.keys.data(), scores, stride, rows, end, n_.width, n_.width,
                    begin / kernels.panel, rounded_up(end, kernels.panel) / kernels.panel, scratch);
    float sums[kBlock];
    for (std::int64_t i = 0; i < rows; ++i) sums[i] = weighed(first + i, begin, end, scores + i * stride);
    float* out = head_.out + first * head_.out_stride;
    kernels.product(scores + begin, stride, packed_.values.data() + begin * kernels.panel, out, head_.out_stride, rows,
                    n_.values, n_.keys, end - begin, 0, rounded_up(n_.values, kernels.panel) / kernels.panel, scratch);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t c = 0; c < n_.values; ++c) out[i * head_.out_stride + c] /= sums[i];
  }

private:
  // Weights of the query's keys, zeros for the others of [begin, end).
  float weighed(std::int64_t query, std::int64_t begin, std::int64_t end, float* scores) {
    const Keys keys = keys_of(s_, n_, query);
    std::fill(scores + begin, scores + keys.begin, 0.0F);
    std::fill(scores + keys.end, scores + end, 0.0F);
    return weigh(s_, head_, query, keys, scores);
  }

  const AttentionHead<float>& head_;
  const PackedHead& packed_;
  const AttentionSizes& n_;
  const AttentionSettings& s_;
};

// One of each pair of keys and values that heads share, and for every head which one it has.
std::pair<std::vector<std::size_t>, std::vector<std::size_t>> shared_keys(
    const std::vector<AttentionHead<float>>& heads) {
  std::map<std::pair<const float*, const float*>, std::size_t> known;
  std::vector<std::size_t> firsts, of_head;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    const auto [at, is_new] = known.emplace(std::pair(heads[h].k, heads[h].v), firsts.size());
    if (is_new) firsts.push_back(h);
    of_head.push_back(at->second);
  }
  return {firsts, of_head};
}

std::vector<PackedHead> packed_heads(const std::vector<AttentionHead<float>>& heads,
                                     const std::vector<std::size_t>& firsts, const AttentionSizes& n) {
  std::vector<std::unique_ptr<PackedHead>> made(firsts.size());
  parallel_for(std::ssize(firsts), worth_a_thread(n.keys * (n.width + n.values)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const auto at = static_cast<std::size_t>(i);
                   made[at] = std::make_unique<PackedHead>(heads[firsts[at]], n);
                 }
               });
  std::vector<PackedHead> packed;
  for (auto& one : made) packed.push_back(std::move(*one));
  return packed;
}

}  // namespace

void vector_attention(const std::vector<AttentionHead<float>>& heads, const AttentionSizes& n,
                      const AttentionSettings& s) {
  const std::int64_t cost = n.keys * (n.width + n.values), count = std::ssize(heads);
  if (n.queries <= kFewQueries)
    return parallel_for(count, worth_a_thread(n.queries * cost), [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> room;
      for (std::int64_t h = begin; h < end; ++h) few_queries(heads[static_cast<std::size_t>(h)], n, s, room);
    });
  const auto [firsts, of_head] = shared_keys(heads);
  const std::vector<PackedHead> packed = packed_heads(heads, firsts, n);
  const std::int64_t blocks = (n.queries + kBlock - 1) / kBlock;
  parallel_for(count * blocks, worth_a_thread(kBlock * cost), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> room;
    for (std::int64_t i = begin; i < end; ++i) {
      const auto h = static_cast<std::size_t>(i / blocks);
      const std::int64_t first = i % blocks * kBlock;
      BlockAttention(heads[h], packed[of_head[h]], n, s).run(first, std::min(first + kBlock, n.queries), room);
    }
  });
}

}  // namespace tpsim::exec
