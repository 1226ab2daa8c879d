// The operations of a forward pass on TensorStates: torch's shape rules on every rank's local shape (a mismatch is the
// machine's fault), and what becomes of the layout. Every function returns a usable state unless `machine.failed()`
// afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim {

TensorState replicated(Machine& m, const Shape& shape, Elements elements = Elements::floating);

// Elementwise.
TensorState linear_map(Machine& m, const TensorState& x, double factor, const char* name);  // x * factor
TensorState nonlinear(Machine& m, const TensorState& x, const char* name, int flops_per_element = 4);
TensorState cast(Machine& m, const TensorState& x);
enum class Binary { add, sub, mul, div };
TensorState binary(Machine& m, Binary op, const TensorState& a, const TensorState& b);
TensorState softmax(Machine& m, const TensorState& x);

// Normalisation over the last dimension. `weight`, `bias` may be null. `fixed_shape`: torch's LayerNorm, which insists
// on the extent it was built with.
TensorState normalise(Machine& m, const TensorState& x, const TensorState* weight, const TensorState* bias,
                      bool fixed_shape);

// x [..., k] with weight [n, k] (transposed: [k, n]) and bias [n].
TensorState linear(Machine& m, const TensorState& x, const TensorState& weight, const TensorState* bias,
                   bool transposed = false);
TensorState embedding(Machine& m, const TensorState& ids, const TensorState& table);

// Shapes only; the result shares x's storage unless the contents move.
TensorState view_heads(Machine& m, const TensorState& x, std::int64_t head_dim);
TensorState merge_heads(Machine& m, const TensorState& x);
TensorState flatten_tokens(Machine& m, const TensorState& x);
TensorState unflatten_tokens(Machine& m, const TensorState& x, const TensorState& like);
TensorState transpose(Machine& m, const TensorState& x, int a, int b);
TensorState reshape(Machine& m, const TensorState& x, const std::vector<std::int64_t>& extents);
TensorState unsqueeze(Machine& m, const TensorState& x, int dim);
TensorState squeeze(Machine& m, const TensorState& x, int dim);
TensorState expand(Machine& m, const TensorState& x, const TensorState& like);
TensorState slice(Machine& m, const TensorState& x, int dim, std::int64_t begin, std::int64_t end);
std::vector<TensorState> split(Machine& m, const TensorState& x, int dim, const std::vector<std::int64_t>& sizes);
std::vector<TensorState> chunk(Machine& m, const TensorState& x, int dim, int count);
TensorState concat(Machine& m, const std::vector<const TensorState*>& parts, int dim);

// Collectives as hooks call them; they record the event.
TensorState all_reduce(Machine& m, const TensorState& x, Machine::When when = Machine::When::both);
// Concatenates the ranks' tensors along `dim`; `padded`: short shards are padded for the wire and cut back (DTensor),
// else they are a fault.
TensorState all_gather(Machine& m, const TensorState& x, int dim, bool padded,
                       Machine::When when = Machine::When::both);
// Sums, and leaves each rank its chunk of `dim`.
TensorState reduce_scatter(Machine& m, const TensorState& x, int dim, Machine::When when = Machine::When::both);
// This rank's chunk of a dimension of a tensor that is believed to be replicated; no communication.
TensorState local_chunk(Machine& m, const TensorState& x, int dim, bool empty_is_fault);

// Checks that the local shapes are what the layout says, and turns the layout into `wrong` where they are not.
TensorState checked(Machine& m, TensorState state);

}  // namespace tpsim
