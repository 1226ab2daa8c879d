// End-to-end errors on rows that the stacks' fit has not seen, as a Markdown section.
#pragma once

#include <string>
#include <vector>

#include "sim/measured/e2e_row.h"
#include "sim/stack.h"

namespace tpsim {

// Decode steps, prefills, TP speed-ups and older engines; each model on each GPU at each TP size is predicted by stacks
// fitted without it. Beside them the same passes on rooflines without a stack.
std::string e2e_fidelity(const std::vector<E2eRow>& rows, const std::vector<StackFile>& files);

}  // namespace tpsim
