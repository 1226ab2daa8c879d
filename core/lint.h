// The diagnostics of an analysis: what decides the verdict, and what is legal but unwise.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "core/analyze.h"
#include "core/effective_plan.h"
#include "core/machine.h"

namespace tpsim {

// `decisive`: the causes that make the verdict wrong or error, in order. Fills verdict_reasons and diagnostics.
void lint(const Model& model, const AnalysisRequest& request, const EffectivePlan& plan,
          const std::vector<Cause>& decisive, Analysis& analysis);

}  // namespace tpsim
