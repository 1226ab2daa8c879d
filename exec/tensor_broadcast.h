// One rank's tensor on every rank.
#pragma once

#include <optional>

#include "exec/communicator.h"
#include "exec/tensor.h"

namespace tpsim::exec {

// `mine`: what `root` gives, null = it has nothing; the other ranks' is not looked at. Called by all ranks.
template <class Real>
Result<std::optional<Tensor<Real>>> broadcast_tensor(Communicator& communicator, const Tensor<Real>* mine, int root);

}  // namespace tpsim::exec
