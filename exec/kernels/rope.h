// Rotary position embeddings: angles by kind, and the rotation of queries and keys.
#pragma once

#include <string_view>

#include "core/rotary.h"
#include "exec/tensor.h"

namespace tpsim::exec {

bool is_known_rotary(std::string_view kind);

template <class Real>
struct Angles {
  Tensor<Real> cos, sin;  // positions' shape and the columns
};
// `length`: positions that the whole sequence has, for kinds that change beyond the trained length.
template <class Real>
Angles<Real> rotary_angles(const Rotary& rotary, const Tensor<Real>& positions, std::int64_t length);

struct Rotation {
  bool interleaved = false;  // pairs (0, 1), (2, 3) ... instead of halves
  bool half = false;         // cos and sin have a column per angle, not two
};
// x [B, n, S, d], cos and sin [1, S, r]: the first r (half: 2 r) columns are turned.
template <class Real>
Tensor<Real> rotated(const Tensor<Real>& x, const Tensor<Real>& cos, const Tensor<Real>& sin, const Rotation& rotation);

}  // namespace tpsim::exec
