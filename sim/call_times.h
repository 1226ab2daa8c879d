// A prediction as the list of calls that a run measures.
#pragma once

#include "core/validation.h"
#include "sim/predict.h"

namespace tpsim {

PassPrediction predict_calls(Predictor& predictor, const Analysis& analysis);

}  // namespace tpsim
