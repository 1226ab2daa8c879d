// What a run took: each kind of call of a pass, with its spread over repeats. The list of calls comes from the
// Analysis, so that measured and predicted times of the same call meet (core/validation.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/analysis.h"
#include "core/units.h"

namespace tpsim {

// Of `n` repeats; percentiles by linear interpolation, cv: standard deviation / mean.
struct Timing {
  std::int64_t n = 0;
  Seconds median{}, p10{}, p90{};
  double cv = 0;
  bool operator==(const Timing&) const = default;
};
Timing timing_of(std::vector<double> seconds);

// Above this cv a median says little.
inline constexpr double kUnstable = 0.05;

// Calls of one pass on one rank that are alike in everything but the indices in the module's name.
struct CallGroup {
  std::string module;  // "model.layers.*.mlp.up_proj"
  std::string name;    // "linear", "all_reduce"
  std::string shape;   // linear: rows x outputs x inputs; collectives: what rank 0 gives
  bool collective = false;
  std::int64_t bytes = 0;  // read and written by one call; collectives: of the full tensor
  std::int64_t count = 0;  // calls of a pass
  bool operator==(const CallGroup&) const = default;
};

struct CallGroups {
  std::vector<CallGroup> groups;                // operations, then collectives, each in order of first call
  std::vector<std::vector<int>> of_operation;   // [step][operation of its trace] -> index into groups
  std::vector<std::vector<int>> of_collective;  // [step][event of its trace] -> index into groups
};
CallGroups call_groups(const Analysis& analysis);

struct MeasuredCalls {
  CallGroup calls;
  Timing each;  // one call: the mean over the pass's calls, of the slowest rank; collectives: of the last rank to come
  bool operator==(const MeasuredCalls&) const = default;
};

// One kind of pass, repeated. Every rank starts together.
struct PassMeasurement {
  std::string phase;  // "prefill", "decode"
  std::int64_t batch = 0, tokens = 0, past = 0;
  Timing total;  // until the last rank is done
  Timing other;  // part of it that belongs to no call of the list: views, copies, reading the plan
  Timing skew;   // between the ranks' time outside collectives, slowest less fastest
  std::vector<MeasuredCalls> calls;
  bool operator==(const PassMeasurement&) const = default;
};

struct Measurement {
  int warmup = 0, iterations = 0;
  std::vector<PassMeasurement> passes;
  bool operator==(const Measurement&) const = default;
};

}  // namespace tpsim
