// Every plan that a Transformers release ships, held against the default and the known configurations of its model
// type.
#pragma once

#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/dialect.h"
#include "core/result.h"

namespace tpsim {

enum class ShippedState {
  right,        // at every size asked for
  limited,      // right at some; the others fail on sizes that do not divide (heads, experts, vocabulary)
  broken,       // wrong or failing where the sizes divide
  not_checked,  // no description in this dialect, or the default configuration cannot be built
};
const char* to_string(ShippedState state);

struct ShippedVerdict {
  int tp = 2;
  Verdict verdict = Verdict::right;
  std::string code, where, message;  // of the decisive diagnostic, "" where right
};

struct ShippedResult {
  std::string model_type;
  std::string configuration;  // "class default", or the id of a known configuration
  ShippedState state = ShippedState::right;
  std::vector<ShippedVerdict> verdicts;  // one per size
  std::string reason;                    // not_checked: why
};

// One result per configuration, model types in order of their names. Types without a plan in this dialect are left out.
// `only`: just this model type; "" = all.
std::vector<ShippedResult> check_shipped(const Dialect& dialect, const std::vector<int>& sizes,
                                         const std::string& only = {});

}  // namespace tpsim
