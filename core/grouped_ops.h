// Operations over groups of rows (experts that get every token, batched products); rules as in tensor_ops.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim {

// torch.split(x, size, dim) into exactly `count` pieces, the last may be shorter.
std::vector<TensorState> split_by_size(Machine& m, const TensorState& x, int dim, std::int64_t size, int count);
// a [E, N, H], b [E, H, M] -> [E, N, M].
TensorState bmm(Machine& m, const TensorState& a, const TensorState& b);
// x [T, H] -> [n*T, H], n = the last extent of `like`.
TensorState repeat_rows(Machine& m, const TensorState& x, const TensorState& like);
// x [E*T, H] -> [E, T, H], E = the first extent of `like`.
TensorState split_rows(Machine& m, const TensorState& x, const TensorState& like);
// x [E*T, H] (any leading extents) -> [T, H], summed over E = the last extent of `like`.
TensorState sum_groups(Machine& m, const TensorState& x, const TensorState& like);
// torch.sum over a dimension; `keep` leaves an extent of 1.
TensorState sum_over(Machine& m, const TensorState& x, int dim, bool keep);
// x [B, m, ...] -> [B, m*n, ...]: each head n times, one behind the other.
TensorState repeat_heads(Machine& m, const TensorState& x, std::int64_t n);

// A computation that is not modelled: it reads all inputs, of which every rank must hold the whole, and gives a tensor
// shaped as `like`.
TensorState opaque(Machine& m, const std::string& name, const TensorState& like,
                   const std::vector<const TensorState*>& tensors);

}  // namespace tpsim
