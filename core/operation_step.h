// One instruction of a program that is not a call: the operation it names, on the values it names.
#pragma once

#include <cstddef>
#include <vector>

#include "core/call.h"
#include "core/machine.h"
#include "core/model.h"

namespace tpsim {

// `splits_sequence`: a rule keeps shards of the sequence between modules; positions are then counted over the whole
// sequence.
ForwardValue run_operation(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots,
                           bool splits_sequence);

// Input `i` as a tensor; a fault where it is none.
const TensorState& tensor_input(Machine& m, const Instruction& code, const std::vector<ForwardValue>& slots,
                                std::size_t i);

}  // namespace tpsim
