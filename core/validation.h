// A prediction held against a measurement, call by call.
#pragma once

#include <string>
#include <vector>

#include "core/measurement.h"

namespace tpsim {

struct PredictedCalls {
  CallGroup calls;
  Seconds each{};   // one call
  double band = 0;  // half width in ln(measured / predicted), 90 %
};

struct PassPrediction {
  std::string phase;
  std::int64_t batch = 0, tokens = 0, past = 0;
  Seconds total{};
  Seconds other{};  // part of it that belongs to no call
  double band = 0;
  std::vector<PredictedCalls> calls;
};

struct ComparedCalls {
  CallGroup calls;
  Seconds predicted{};
  double band = 0;
  Timing measured;
  double error = 0;    // predicted / measured median - 1
  bool within = true;  // the measured median lies in the prediction's band
  bool unstable = false;
};

struct PassValidation {
  std::string phase;
  std::int64_t batch = 0, tokens = 0, past = 0;
  ComparedCalls total;
  Timing other, skew;
  Seconds other_predicted{};
  std::vector<ComparedCalls> calls;
};

struct Validation {
  std::vector<PassValidation> passes;
  std::vector<std::string> differences;  // shapes, bytes, counts and collectives that are not as predicted
  double median_error = 0;               // |error| of the calls that take a hundredth of their pass, by number of rows
  double worst_error = 0;
  double worst_total = 0;  // |error| of whole passes
  bool exact() const { return differences.empty(); }
};

// What all calls of the row take of the measured pass.
double share_of(const ComparedCalls& row, const PassValidation& pass);

// Joins by module, name and shape. What only one side has, or has with other bytes or another count, is a difference.
Validation compare(const std::vector<PassPrediction>& predicted, const Measurement& measured);

}  // namespace tpsim
