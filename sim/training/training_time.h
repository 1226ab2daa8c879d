// Time of one training step: forward and backward of every micro-batch through the pipeline, the gradients' reduction,
// the optimizer.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "sim/predict.h"
#include "sim/training/training_setup.h"

namespace tpsim {

// Of one micro-batch on one stage.
struct StageTime {
  Seconds forward{}, backward{};  // backward: with what is computed again
  Seconds communication{};        // of both: collectives of the plan
  Seconds send{};                 // of both: activations and their gradients from stage to stage
  Seconds host{};                 // of the stack, for each micro-batch: schedule, loss, autograd
  std::int64_t kernels = 0;       // launched for both
  Seconds total() const { return forward + backward + send + host; }
};

struct TrainingPrediction {
  Seconds step{};
  std::vector<StageTime> stages;
  Seconds layer_forward{}, layer_backward{};  // mean of a layer
  Seconds bubble{};                           // part of `step` in which the slowest stage waits
  Seconds gradients{};                        // reduction over the data-parallel ranks, not hidden
  Seconds optimizer{};
  double model_flops = 0;  // of one step on one rank's share, recomputation not counted
  double hardware_flops = 0;
  Seconds low{}, high{};  // 90 % band of `step`
  double band = 0.35;     // half width in ln(measured / step)
  NumberSource source = NumberSource::spec;
};

// Kernels longer than their launches hide these; where both are alike some wait.
double launched_us(double busy_us, double launches_us);

// `analysis`: one micro-batch, no cache, logits of all positions; its collectives with gradients are what runs. The
// ranks of the plan are neighbours, then come the data-parallel ranks, then the stages. Kernels of the backward pass:
// each product's two gradients as products of their own; attention as kAttentionBackward forward passes (2.5 times the
// operations, at a lower rate); a small kernel by the bytes it moves.
TrainingPrediction predict_training(const Analysis& analysis, Predictor& predictor, const TrainingSetup& setup);

}  // namespace tpsim
