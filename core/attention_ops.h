// Rotary embedding, attention, routing and fused experts on TensorStates; rules as in tensor_ops.h.
#pragma once

#include <cstdint>
#include <utility>

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim {

// x [B, n, S, d], cos and sin [1, S, r]: the first r columns are rotated if r < d.
TensorState rope(Machine& m, const TensorState& x, const TensorState& cos, const TensorState& sin);

struct AttentionNumbers {
  std::int64_t groups = 1;              // query heads per key head, a constant of the config
  std::int64_t window = 0;              // 0 = all keys
  std::int64_t latent_cache_width = 0;  // cached numbers per token where the cache holds latents; 0 = keys and values
  bool shares_cache = false;            // reads the keys and values that another layer keeps
  bool keeps_state = false;             // linear attention: one [n, d, d] state instead of a cache that grows
};
// Tensors per query head that change the scores; null = none.
struct ScoreTensors {
  const TensorState* sinks = nullptr;  // [nq]
  const TensorState* bias = nullptr;   // [B, nq or 1, S or 1, S], added to the scores
};
// q [B, nq, S, d], k and v [B, nk, S, d] -> [B, S, nq, dv].
TensorState attention(Machine& m, const TensorState& q, const TensorState& k, const TensorState& v,
                      const ScoreTensors& scores, const AttentionNumbers& numbers);

// x [B, n, S, E], a number per distance -> [B, n, S, S + past], the number for the distance from query to key.
TensorState relative_bias(Machine& m, const TensorState& x);

// scores [T, E] -> weights [T, k], indices [T, k].
std::pair<TensorState, TensorState> topk_route(Machine& m, const TensorState& scores, std::int64_t k);
// weights [T, k], indices [T, k] -> [T, E], shaped as `like`.
TensorState scatter_topk(Machine& m, const TensorState& weights, const TensorState& indices, const TensorState& like);

struct ExpertTensors {
  const TensorState* gate_up = nullptr;  // [E, 2I, H]; transposed [E, H, 2I]; not gated: I instead of 2I
  const TensorState* down = nullptr;     // [E, H, I]; transposed [E, I, H]
  const TensorState* gate_up_bias = nullptr;
  const TensorState* down_bias = nullptr;
  bool transposed = false;
  bool interleaved = false;  // gate and up are even and odd columns
  bool gated = true;
};
// x [T, H], indices and weights [T, k] (or weights [T, E]) -> [T, H], weighted and summed over the experts.
TensorState experts(Machine& m, const TensorState& x, const TensorState& indices, const TensorState& weights,
                    const ExpertTensors& tensors);

}  // namespace tpsim
