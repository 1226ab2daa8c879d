// One recorded operation backward: what its inputs get from the gradients of its outputs, on one rank.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/recording.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// Values as the forward pass had them; null = absent, or no gradient comes from there.
template <class Real>
struct BackwardCall {
  const RecordedOp& op;
  const std::vector<const Tensor<Real>*>& inputs;
  const std::vector<const Tensor<Real>*>& outputs;
  const std::vector<const Tensor<Real>*>& gradients;  // of the outputs; at least one is there
  int rank = 0;
};

// Why no backward is known for the operation; none = there is one, or the operation passes no gradient on.
std::optional<std::string> without_backward(const RecordedOp& op);

// One per input; empty = none. Collectives and parameters are not taken.
template <class Real>
std::vector<Tensor<Real>> gradients_of(const BackwardCall<Real>& call);

}  // namespace tpsim::exec
