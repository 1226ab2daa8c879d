// Runs a model's forward pass symbolically on all ranks of a Machine: every module call with its strategy, every
// operation with torch's shape rules, equal layers once.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "core/call.h"
#include "core/machine.h"
#include "core/placed_model.h"

namespace tpsim {

struct ForwardRun {
  std::vector<Trace> traces;
  std::vector<Step> steps;
  ForwardValue output;
  Operand output_origin;  // of a tensor output
};

// `input_ids`: [batch, tokens] on every rank. Stops at the machine's first fault.
ForwardRun run_forward(Machine& m, const Model& model, const PlacedModel& placed, const AnalysisRequest& request);

}  // namespace tpsim
