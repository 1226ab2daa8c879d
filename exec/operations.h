// One recorded operation on real tensors of one rank: everything but collectives and parameters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/recording.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// What an operation leaves for the same operation of the next step: keys, values and what is added to the scores of the
// keys, or a recurrence's state.
template <class Real>
struct OperationState {
  Tensor<Real> first, second, third;
  std::int64_t keys = 0;  // of first and second, which have room for more; states that are copied share it
};

template <class Real>
struct OperationContext {
  int rank = 0;
  std::int64_t past = 0;  // positions before this step
  const std::vector<Rotary>* rotaries = nullptr;
  OperationState<Real>* state = nullptr;
};

// Why the operation cannot be executed; none = it can.
std::optional<std::string> not_executable(const RecordedOp& op, const std::vector<Rotary>& rotaries);
// Whether the result is the first input's numbers, in their order, in another shape.
bool is_view(Op op);
// Whether the results are numbers of the inputs, moved or none.
bool only_moves(const RecordedOp& op);
// Whether the operation leaves a state.
bool keeps_state(const RecordedOp& op);

// `inputs`: null = absent. Assumes an operation that can be executed and the shapes that the recording has.
template <class Real>
std::vector<Tensor<Real>> execute(const RecordedOp& op, const std::vector<const Tensor<Real>*>& inputs,
                                  const OperationContext<Real>& context);

}  // namespace tpsim::exec
