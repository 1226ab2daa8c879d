// Where a tensor comes from: the modules with weights and the collectives that lie before it in the trace's graph.
#pragma once

#include "core/machine.h"
#include "core/tensor_state.h"

namespace tpsim {

Operand describe_operand(const Machine& m, const TensorState& tensor);

}  // namespace tpsim
