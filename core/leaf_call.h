// The forward of a module without a program of its own: linear layers, norms, embeddings, activations, rotary angles.
#pragma once

#include "core/call.h"
#include "core/machine.h"

namespace tpsim {

ForwardValue run_leaf(Machine& m, ModuleCall& call);

}  // namespace tpsim
