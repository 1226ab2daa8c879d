// The answer of `tpsim report --phase train`: memory and time of one training step per TP size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/document.h"
#include "cli/problems.h"
#include "cli/scenario.h"
#include "core/valid_sizes.h"
#include "sim/training/training_memory.h"
#include "sim/training/training_time.h"

namespace tpsim::cli {

// Of the heaviest pipeline stage.
struct TrainingFit {
  TrainingMemory parts;
  std::int64_t allocator = 0;  // held beside the tensors alive
  std::int64_t runtime = 0;    // context, library handles, communicators
  std::int64_t total = 0, capacity = 0;
  bool fits = false;
};

struct TrainingResult {
  int tp = 1;
  Analysis forward;  // verdict and diagnostics of the plan
  Analysis step;     // one micro-batch; with --parallel-loss its logits are cut
  int stage = 0;     // the heaviest
  TrainingFit memory;
  std::optional<TrainingPrediction> time;  // none where the plan does not run
  double speedup = 0, efficiency = 0;      // over one device that takes all the micro-batches of a replica
  int devices = 1;                         // of the plan, of all replicas and stages
  double tokens_per_s = 0, mfu = 0, comm_share = 0;

  bool right() const { return forward.verdict == Verdict::right; }
  bool runs() const { return time.has_value(); }
};

struct TrainingReport {
  Scenario scenario;
  TrainingSetup setup;
  bool sequence_parallel = false, parallel_loss = false;
  Seconds baseline{};
  std::vector<TrainingResult> results;
  ValidSizes valid;
  std::vector<Problem> problems;

  const Analysis& shown() const;
  const TrainingResult* smallest_fit() const;
  std::int64_t tokens_per_step() const;  // over all replicas
};

// Defaults: no recomputation, one replica, one stage, a micro-batch per stage. Errors: more stages than layers, more
// devices than a mesh can have, a model without a described forward pass.
Result<TrainingReport> build_training_report(Scenario scenario, const TrainingOptions& options, const TpChoice& choice);

Table training_table(const TrainingReport& report, Units units);
std::vector<std::string> training_heading(const TrainingReport& report, const Options& options, int width);
std::vector<std::string> training_notes(const TrainingReport& report, Units units);
void write_training(JsonWriter& json, const TrainingReport& report);  // tpsim.training/1

}  // namespace tpsim::cli
