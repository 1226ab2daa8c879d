// Diagnostics about shards and traces: what is legal but unwise, or goes wrong only in training and saving.
#pragma once

#include <vector>

#include "core/analyze.h"
#include "core/effective_plan.h"

namespace tpsim {

// TP111, TP202, TP207, TP208, TP211 (warnings); TP212, TP213, TP214 (notes).
std::vector<Diagnostic> unwise_shards(const Model& model, const AnalysisRequest& request, const Analysis& analysis);

}  // namespace tpsim
