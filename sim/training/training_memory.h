// Memory of one training step per rank, by stage of the pipeline.
#pragma once

#include <vector>

#include "core/analysis.h"
#include "sim/training/training_setup.h"

namespace tpsim {

// Cached blocks that torch's allocator holds beside the live ones: 3 to 8 % in published runs.
inline constexpr double kReservedByAllocator = 1.05;

// Mixed precision with Adam: weights and activations in the workload's types, gradients and two moments in the setup's,
// an fp32 copy of 16-bit weights (2 + 4 + 12 bytes per parameter in bf16; 4 + 4 + 8 in fp32).
struct TrainingMemory {
  std::int64_t weights = 0, gradients = 0, optimizer = 0;
  std::int64_t activations = 0;  // kept for the backward pass, of all micro-batches in flight
  std::int64_t logits = 0;       // logits in the activations' type, their fp32 copy and the softmax (last stage)
  std::int64_t layer = 0;        // inside one layer's backward pass: a weight's gradient, those of its input and output
  std::int64_t gathered = 0;     // the largest tensor gathered from shards
  // Logits are gone when a layer is at its peak.
  std::int64_t total() const;
};

// One per stage; ranks of a stage are alike but for uneven shards (rank 0 is taken, the heaviest). `analysis`: one
// micro-batch, no cache, logits of all positions. A stage has the same number of layers (one more on the first stages
// where they do not divide), the first the embedding, the last the head.
std::vector<TrainingMemory> training_memory(const Analysis& analysis, const TrainingSetup& setup);

// The stage with the most bytes.
const TrainingMemory& heaviest_stage(const std::vector<TrainingMemory>& stages);

// Which stage a step runs on: steps of layers in equal runs, what comes before them on the first, after them on the
// last.
std::vector<int> stages_of_steps(const Analysis& analysis, int pipeline);

}  // namespace tpsim
