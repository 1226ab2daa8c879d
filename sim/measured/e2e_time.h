// What a measured run should have taken: its passes, one by one, through the same Predictor as everything else.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sim/measured/e2e_model.h"
#include "sim/measured/e2e_row.h"
#include "sim/predict.h"

namespace tpsim {

// What a row's time is made of, without what its stack adds: sums over its passes. Fits of stacks use it.
struct E2eParts {
  std::array<double, kTimeParts> us{};         // by TimePart
  std::array<double, kTimeParts> prompt_us{};  // what prompts of others add to the steps of decoding sequences
  double passes = 0, prompt_passes = 0;        // of these, passes with prompts
  double sequences = 0;                        // summed over the passes
  double doublings = 0;                        // log2 of the ranks, summed over the passes
  double launches = 0;                         // training: kernels launched one by one, in a step
  double count = 0;                            // rates: what is counted per second; 0 = the value is a time
};

struct E2eEstimate {
  double value = 0;  // in the row's unit
  double band = 0;   // half width in ln at 90 %
  NumberSource source = NumberSource::spec;
  E2eParts parts;
};

// One row after the other; models, analyses and kernels are kept.
class E2eTimes {
public:
  // Errors say why a row is not predicted: a metric, model or GPU that is not described, a load that needs a queue
  // simulation.
  Result<E2eEstimate> predict(const E2eRow& row);

  // Takes the place of the profile that a row's GPU names.
  void use_hardware(const std::string& name, Hardware hardware);
  // Takes the place of the stack that a row's framework names.
  void use_stack(const std::string& framework, Stack stack);

private:
  const Stack& stack_of(const std::string& framework, const std::string& hardware);
  Result<Predictor*> predictor_of(const E2eRow& row, const Precision& precision);

  E2eModels models_;
  std::map<std::string, Stack> stacks_;  // by framework and hardware
  std::map<std::string, Hardware> hardware_;
  std::map<std::string, std::unique_ptr<Predictor>> predictors_;
};

bool is_training_step(const E2eRow& row);  // a time of one, or of a layer in it
bool is_rate(const E2eRow& row);           // the larger, the faster

// "decode step", "prefill", "generation", "throughput", "training", ...: which rows of a table belong together.
const char* metric_kind(const E2eRow& row);

}  // namespace tpsim
