// What a measured training run, or its memory, should have been.
#pragma once

#include "sim/measured/e2e_model.h"
#include "sim/measured/e2e_row.h"
#include "sim/predict.h"
#include "sim/training/training_setup.h"

namespace tpsim {

// The setup that a row's columns and notes tell: recomputation, ZeRO stage, sequence parallelism, flash attention.
struct TrainingRun {
  TrainingSetup setup;
  bool sequence_parallel = false;
};
TrainingRun training_run_of(const E2eRow& row);

struct TrainingRowValue {
  double value = 0;  // in the row's unit
  double band = 0;
  NumberSource source = NumberSource::spec;
};

// Errors say why: a metric that is not a time or a memory of one step, a plan that does not run.
Result<TrainingRowValue> predict_training_row(const E2eModel& model, const E2eRow& row, Predictor& predictor);

}  // namespace tpsim
