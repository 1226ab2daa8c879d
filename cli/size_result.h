// What the scenario comes to at one TP size.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/scenario.h"
#include "core/analysis.h"
#include "sim/predict.h"

namespace tpsim::cli {

// Of a prompt in chunks: the analysis and the lists are of the last whole chunk, sums are of all of them.
struct PhaseResult {
  Analysis analysis;
  Prediction time;
  double speedup = 0;     // over one device
  double efficiency = 0;  // speed-up per device
  double comm_share = 0;
};

// One pass of a prompt in chunks.
struct ChunkResult {
  std::int64_t tokens = 0, cached = 0;  // of each sequence
  Prediction time;
  std::int64_t activation_bytes = 0, kv_bytes = 0;  // peak in the pass; cache after it: of the heaviest rank
};

// Tokens generated after the prompt, the first of them by its prefill.
struct Generation {
  Prediction total;                    // without lists
  Seconds first_token{}, per_token{};  // per_token: mean of those after the first; 0 without any
  double tokens_per_s = 0;             // of all sequences, over the whole time
  double speedup = 0;
};

struct SizeResult {
  int tp = 1;
  Analysis forward;               // verdict, diagnostics, shards, collectives
  MemoryFit memory;               // of the heaviest rank
  std::vector<RankMemory> ranks;  // prefill's weights, activations and buffers, the cache at the full context
  // None where the plan stops the forward pass, or where the phase was not asked for.
  std::optional<PhaseResult> prefill, decode;
  std::optional<Generation> generation;
  std::vector<ChunkResult> chunks;  // filled by chunk_results where they are asked for

  bool runs() const { return right() || forward.verdict == Verdict::wrong; }
  bool right() const { return forward.verdict == Verdict::right; }
  int devices() const { return forward.ranks(); }
};

// Times on one device without a plan.
struct Baseline {
  Seconds prefill{}, decode{};
  Seconds steps{};  // of a generation, after its first token
};
Generation generation_of(std::int64_t batch, std::int64_t tokens, const Prediction& prefill, const Prediction& steps,
                         const Baseline& baseline);
// Of the ranks in that pass; prefill's peaks are those of all chunks.
Result<std::vector<RankMemory>> pass_memory(const Scenario& scenario, int tp, Pass pass);
Result<Baseline> measure_baseline(const Scenario& scenario);
Result<SizeResult> size_up(const Scenario& scenario, int tp, const Baseline& baseline);

// Generated tokens of all sequences per second.
double tokens_per_second(const Scenario& scenario, const PhaseResult& decode);

// Every chunk of a prompt, at a size that runs. Errors: more than kMostChunks.
inline constexpr std::int64_t kMostChunks = 65'536;
Result<std::vector<ChunkResult>> chunk_results(const Scenario& scenario, const SizeResult& size);

}  // namespace tpsim::cli
