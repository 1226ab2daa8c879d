// Attention of new positions over all keys so far.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/tensor.h"

namespace tpsim::exec {

struct AttentionSettings {
  std::int64_t groups = 1;  // query heads per key head
  std::int64_t window = 0;  // keys at most this many positions back, the own one included; 0 = all
  std::int64_t chunk = 0;   // keys of the own block of this many positions; 0 = all
  double scale = 0;         // 0 = 1 / sqrt(width)
  double softcap = 0;       // 0 = none
  bool causal = true;
  bool alibi = false;
  std::int64_t keys = 0;  // the first ones of K that there are; 0 = all
};

// First key that the query at `position` sees.
std::int64_t first_key(const AttentionSettings& settings, std::int64_t position);
// What ALiBi multiplies a key's position by, by head.
std::vector<double> head_slopes(std::int64_t heads);

// q [B, n, S, d]; k, v [B, m, K, d], the K - S first ones from before. sinks [n], bias [B, n or 1, S or 1, K]: null =
// none.
// -> [B, S, heads, dv]; heads = the larger of n and m * groups (one of them is repeated where the other has one).
template <class Real>
Tensor<Real> attention(const Tensor<Real>& q, const Tensor<Real>& k, const Tensor<Real>& v, const Tensor<Real>* sinks,
                       const Tensor<Real>* bias, const AttentionSettings& settings);

}  // namespace tpsim::exec
