// Attention in float on the widest vectors, spread over the rank's threads.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/kernels/attention.h"

namespace tpsim::exec {

// One head of one sequence as it lies in memory: [queries, width], [keys, width], [keys, values].
template <class Real>
struct AttentionHead {
  const Real *q, *k, *v;
  const Real* bias;  // added to the scores, `bias_stride` numbers from query to query; null = none
  std::int64_t bias_stride;
  const Real* sink;  // null = none
  Real slope;        // of ALiBi
  Real* out;         // `out_stride` numbers from query to query
  std::int64_t out_stride;
};

struct AttentionSizes {
  std::int64_t queries, keys, width, values;  // the queries are the last ones of the keys' positions
};

// All heads; those that share keys share their packed form.
void vector_attention(const std::vector<AttentionHead<float>>& heads, const AttentionSizes& sizes,
                      const AttentionSettings& settings);

}  // namespace tpsim::exec
