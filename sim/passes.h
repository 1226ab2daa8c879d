// Passes one after the other: a prompt in chunks, tokens generated at a growing context.
#pragma once

#include <array>
#include <cstdint>

#include "sim/predict.h"

namespace tpsim {

// Predictions added up. Passes of one model with one stack on one GPU share their errors: bands add.
class PassSum {
public:
  void add(const Prediction& pass, double times);
  Prediction sum() const;  // without lists of operations and collectives

private:
  Prediction sum_;
  double band_s_ = 0, kernels_ = 0;
  std::array<double, 4> by_source_{};
};

// The prompts of `sequences`, `chunk` tokens of each in a pass (the last pass: what is left). Every pass ends with the
// head for one position of each sequence, as serving stacks run it.
struct ChunkedPrompt {
  std::int64_t sequences = 1, tokens = 1, chunk = 1;

  std::int64_t passes() const { return (tokens + chunk - 1) / chunk; }
  std::int64_t cached(std::int64_t pass) const { return pass * chunk; }  // tokens before those of that pass
  std::int64_t length(std::int64_t pass) const { return pass + 1 < passes() ? chunk : tokens - cached(pass); }
};

// One of the passes, from 0. `analysis`: of a pass of the same plan with the longest cache, so that windows show.
Prediction predict_chunk(Predictor& predictor, const Analysis& analysis, const ChunkedPrompt& prompt,
                         std::int64_t pass);
// All of them.
Prediction predict_chunks(Predictor& predictor, const Analysis& analysis, const ChunkedPrompt& prompt);

// Decode steps of `sequences` that see `first`, `first` + 1, ... `last` keys, the new token's among them. `analysis`:
// of such a step with the longest cache. Few are predicted: within one block of the cache a step's time is linear in
// the context, so its middle stands for the block; from block to block it is smooth, and Simpson's rule on whole
// numbers is halved until both halves together say the same. Within 1e-4 of the sum of all steps.
Prediction predict_steps(Predictor& predictor, const Analysis& analysis, std::int64_t sequences, std::int64_t first,
                         std::int64_t last);

}  // namespace tpsim
