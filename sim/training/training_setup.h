// How a model is trained around its tensor-parallel plan.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "sim/training/saved_tensors.h"

namespace tpsim {

// Which states the data-parallel ranks share out: 1 = optimizer, 2 = gradients too, 3 = weights too.
enum class ZeroStage { none, optimizer, gradients, weights };

struct TrainingSetup {
  SavedTensorOptions saved;
  std::int64_t micro_batches = 1;  // of one data-parallel rank and step; the Analysis's batch is one micro-batch
  int data_parallel = 1;
  int pipeline = 1;        // stages, one forward and one backward pass in turn (1F1B)
  int virtual_stages = 1;  // interleaved chunks of layers per device
  ZeroStage zero = ZeroStage::none;
  DType gradients = DType::fp32;   // in which they are summed and reduced
  bool two_gradients = false;      // those of the weights' type stay beside the sums (DeepSpeed's bf16 optimizer)
  DType optimizer = DType::fp32;   // of both moments; 16-bit weights have an fp32 copy beside them
  bool overlap_gradients = false;  // the gradients' reduction runs beside the backward pass
};

}  // namespace tpsim
