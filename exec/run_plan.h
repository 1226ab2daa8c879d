// A plan executed on real ranks and judged against the unsharded model.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/analyze.h"
#include "core/measurement.h"
#include "core/model.h"
#include "exec/communicator.h"
#include "exec/compare.h"
#include "exec/guarded.h"
#include "exec/module_outputs.h"
#include "exec/rank_run.h"
#include "exec/weights.h"

namespace tpsim::exec {

// Runs `body` on each of `ranks` ranks: threads, or this process is one of them.
using RankLauncher = std::function<Result<void>(int ranks, const RankBody& body)>;

// One parameter's gradient on the rank where it is furthest off.
struct GradientError {
  std::string parameter;
  std::optional<ErrorSize> error;  // none: no gradient, or another shape
  double band = 0;
  bool inside = true;
};

// One training step: loss = mean(logits^2), backward, gradients of every parameter against the unsharded model's.
struct TrainingOutcome {
  double loss = 0, unsharded_loss = 0;   // of rank 0
  std::vector<GradientError> gradients;  // in the order in which the pass uses the parameters
  std::optional<GradientError> first_divergent;
  std::vector<GradientError> unsharded_vs_reference;  // where real gradients were given
  std::optional<double> reference_loss;
  std::vector<ExecutedEvent> backward;  // of rank 0
  bool backward_as_analysed = true;
  std::int64_t memory_bytes = 0;  // estimate of what all ranks of the run keep for the way back
};

struct RunRequest {
  const Model* model = nullptr;
  AnalysisRequest analysis;  // dialect, plan and sizes; batch and tokens are those of `ids`
  const Weights* weights = nullptr;
  Shape ids_shape;  // [batch, tokens]
  std::vector<std::int64_t> ids;
  std::vector<float> reference_logits;  // [batch, tokens, vocabulary] of the unsharded model, empty = none
  DType dtype = DType::fp32;            // fp32, bf16 or fp16: results are rounded to it
  bool float64 = false;                 // computes in double instead of float
  int generate = 0;                     // greedy tokens after the input
  int threads = 0;                      // of each rank; 0 = its share of the machine's
  std::optional<int> ranks_here;        // that share this machine's memory; none: all
  int warmup = 0, iterations = 0;       // of the measurement behind the comparison; 0 iterations = none
  bool train = false;                   // a training step instead of inference
  std::map<std::string, std::vector<float>> reference_gradients;  // of the unsharded model, by parameter; "loss"
};

struct RunOutcome {
  Analysis analysis;
  Verdict verdict = Verdict::right;
  std::optional<ErrorSize> unsharded_vs_reference;
  double reference_band = 0;
  bool reference_inside = true;  // the unsharded run's numbers are the real ones, where real ones were given
  std::optional<ErrorSize> sharded_vs_unsharded;  // of the worst rank; none: not run, or logits of another shape
  double band = 0;
  std::optional<ModuleError> first_divergent;
  std::vector<ModuleError> layers;    // of rank 0
  std::vector<ExecutedEvent> events;  // of rank 0
  bool events_as_analysed = true;
  std::vector<std::vector<std::int64_t>> generated;  // by sequence
  std::vector<std::vector<std::int64_t>> generated_unsharded;
  std::optional<Measurement> measurement;
  std::optional<TrainingOutcome> training;
};

// Whether the unsharded run gives the real logits, or gradients and loss, as far as some were given.
bool real_numbers_met(const RunOutcome& outcome);

// Errors: an operation without a kernel, weights that cannot be used, an interruption. A plan that raises is not run:
// the verdict says so.
Result<RunOutcome> run_plan(const RunRequest& request, const RankLauncher& launch);

}  // namespace tpsim::exec
