// Points of a sweep that share model, plan, hardware and sizes: analysed once, predicted for many loads.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/rank_memory_line.h"
#include "cli/scenario.h"
#include "cli/size_result.h"

namespace tpsim::cli {

struct SweepGeneration {
  Seconds time{}, low{}, high{}, first_token{}, per_token{};
  double tokens_per_s = 0, speedup = 0;
  bool operator==(const SweepGeneration&) const = default;
};

struct SweepTime {
  Seconds time{}, low{}, high{};
  double speedup = 0, comm_share = 0;
  NumberSource source = NumberSource::spec;
  bool operator==(const SweepTime&) const = default;
};

// What tpsim report says of the point, to the last digit.
struct SweepResult {
  Lengths lengths;
  int devices = 1;
  Verdict verdict = Verdict::right;
  std::string reason;  // codes that decide the verdict, or why there are no figures
  MemoryFit memory;    // without max_kv_tokens
  std::optional<SweepTime> prefill, decode;
  std::optional<SweepGeneration> generation;
};

class SweepCell {
public:
  // `scenario`: its lengths do not matter. `largest`: of the points to come, on which the short way is tried.
  SweepCell(Scenario scenario, int tp, Lengths largest);

  Result<SweepResult> result(const Lengths& lengths);
  const Scenario& scenario() const { return scenario_; }
  // Whether results come from one analysis per prompt and context, rather than one per point.
  bool scales() const { return scales_; }

private:
  struct Bases;  // analyses of a batch of one
  Result<SweepResult> analysed(const Lengths& lengths);
  Result<SweepResult> scaled(const Lengths& lengths);
  Result<const Bases*> bases(const Lengths& lengths);
  void predict_prefill(const Bases& bases, const Lengths& lengths);
  Generation predict_generation(const Lengths& lengths);
  bool both_ways_agree(const Lengths& lengths);
  Result<RankMemoryLine> memory_by_batch(const Lengths& lengths, Pass pass) const;
  Result<MemoryFit> memory(const Bases& bases, const Lengths& lengths);
  Result<const RankMemoryLine*> decode_memory(const Lengths& lengths);
  Result<void> prepare_decode(const Lengths& lengths);
  void forget_if_many(const Lengths& lengths);

  Scenario scenario_;
  int tp_ = 1;
  std::int64_t most_ = 1;  // sequences
  bool scales_ = false;
  std::map<std::pair<std::int64_t, std::int64_t>, std::unique_ptr<Bases>> by_prompt_;  // and chunk
  std::map<std::int64_t, RankMemoryLine> decode_by_context_;
  std::optional<Analysis> decode_, decode_alone_;
  std::optional<Predictor> predictor_, alone_;
  std::int64_t predicted_ = 0;
  Lengths last_prefill_{0, 0, 0};  // neighbours differ in ctx, which prefill does not read
  Prediction prefill_;
  Seconds prefill_alone_{};

public:
  SweepCell(SweepCell&&) noexcept;
  SweepCell& operator=(SweepCell&&) noexcept;
  ~SweepCell();
};

}  // namespace tpsim::cli
