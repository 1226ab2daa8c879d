// What the scenario comes to at one TP size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/scenario.h"
#include "core/analysis.h"
#include "sim/predict.h"

namespace tpsim::cli {

struct PhaseResult {
  Analysis analysis;
  Prediction time;
  double speedup = 0;     // over one device
  double efficiency = 0;  // speed-up per device
  double comm_share = 0;
};

struct SizeResult {
  int tp = 1;
  Analysis forward;               // verdict, diagnostics, shards, collectives
  MemoryFit memory;               // of the heaviest rank
  std::vector<RankMemory> ranks;  // prefill's weights, activations and buffers, the cache at the full context
  // None where the plan stops the forward pass, or where the phase was not asked for.
  std::optional<PhaseResult> prefill, decode;

  bool runs() const { return right() || forward.verdict == Verdict::wrong; }
  bool right() const { return forward.verdict == Verdict::right; }
  int devices() const { return forward.ranks(); }
};

// Times of both phases on one device without a plan.
struct Baseline {
  Seconds prefill{}, decode{};
};
Result<Baseline> measure_baseline(const Scenario& scenario);
Result<SizeResult> size_up(const Scenario& scenario, int tp, const Baseline& baseline);

// Generated tokens of all sequences per second.
double tokens_per_second(const Scenario& scenario, const PhaseResult& decode);

}  // namespace tpsim::cli
