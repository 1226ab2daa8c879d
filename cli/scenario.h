// The question that a command line asks: model, plan, hardware and workload, loaded and with defaults filled in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/inputs.h"
#include "cli/options.h"
#include "core/analyze.h"
#include "sim/hardware.h"
#include "sim/passes.h"
#include "sim/stack.h"

namespace tpsim::cli {

struct Assumption {
  std::string name, value;
  std::string set_by;  // "default", "user"
};

struct Scenario {
  ModelInput input;
  PlanInput plan;
  StrategySet custom;
  Hardware hardware;
  Stack stack;
  Dialect dialect;
  int ep = 1;
  Phase phase = Phase::both;
  std::int64_t batch = 8, prompt = 2048, context = 4096;
  std::int64_t generate = 0;  // tokens of each sequence; 0 = not asked for
  std::int64_t chunk = 0;     // tokens of each sequence in a pass of prefill; 0 = the whole prompt
  DType weights = DType::bf16, activations = DType::bf16, kv_cache = DType::bf16;
  std::vector<Assumption> assumptions;

  const Model& model() const { return input.model; }
  bool generates() const { return generate > 0 && phase == Phase::both; }
  ChunkedPrompt chunks() const { return {batch, prompt, chunk > 0 ? std::min(chunk, prompt) : prompt}; }
};

const char* to_string(Phase phase);

Result<Scenario> load_scenario(const Options& options);
// The same for a model and hardware that are loaded already.
Result<Scenario> load_scenario(const Options& options, ModelInput input, Hardware hardware);

// Lengths of the workload with what is not given filled in as in a report.
struct Lengths {
  std::int64_t batch = 1, prompt = 1, context = 1;
  std::int64_t generate = 0, chunk = 0;  // 0 = none, as in a Scenario
  bool operator==(const Lengths&) const = default;
};
Lengths lengths_or_default(std::optional<std::int64_t> batch, std::optional<std::int64_t> prompt,
                           std::optional<std::int64_t> context, std::optional<std::int64_t> generate = {},
                           std::optional<std::int64_t> chunk = {});
// The scenario with other lengths.
Scenario with_lengths(Scenario scenario, const Lengths& lengths);

// The plan with the rule of the head that leaves its output cut (--parallel-loss). Errors: no rule gathers it.
Result<void> leave_logits_cut(Scenario& scenario);

// What one analysis of the scenario is about.
enum class Pass {
  forward,  // the prompt without a cache, logits of all positions: verdict, shards, collectives
  prefill,  // the prompt, logits of the last position only; of its chunks, the last one that is whole
  rest,     // the chunk after that, where the prompt leaves a part of one
  decode,   // one new token at the full context
};
AnalysisRequest request_for(const Scenario& scenario, int tp, Pass pass);

// Without a plan on one device: what speed-up is measured against.
AnalysisRequest baseline_request(const Scenario& scenario, Pass pass);

}  // namespace tpsim::cli
