// Time from an Analysis: roofline kernels and alpha-beta collectives on a Hardware. The Analysis says what happens;
// this file only says how long it takes.
#pragma once

#include <string>
#include <vector>

#include "core/analysis.h"
#include "sim/estimate.h"
#include "sim/hardware.h"

namespace tpsim {

struct OperationTime {
  int trace = 0, index = 0;  // Analysis::traces[trace].operations[index]
  std::int64_t count = 1;    // passes over that trace
  Seconds time{};            // of one
  Bound bound = Bound::compute;
};

struct CollectiveTime {
  int trace = 0, index = 0;  // Analysis::traces[trace].forward[index]
  std::int64_t count = 1;
  Seconds time{};
  std::string algorithm;        // "ring"
  double algbw = 0, busbw = 0;  // bytes per second, as nccl-tests defines them
};

// One forward pass of the Analysis's workload, kernels and collectives one after the other.
struct Prediction {
  Seconds total{}, compute{}, communication{};
  Seconds low{}, high{};  // band of `total`
  NumberSource source = NumberSource::spec;
  double band = 0.35;  // relative half width; sim/README.md says how often measured steps lie within it
  std::vector<OperationTime> operations;
  std::vector<CollectiveTime> collectives;
};

Prediction predict(const Analysis& analysis, const Hardware& hardware);

// Memory of the heaviest rank on that hardware.
struct MemoryFit {
  std::int64_t weights = 0, kv_cache = 0, activations = 0, communication = 0, runtime = 0, total = 0, capacity = 0;
  bool fits = false;
  // Cached positions that the rest of the memory can hold, over all sequences. Layers whose cache is full (windows) or
  // does not grow (states) keep what they hold for the workload's batch. 0 where no layer's cache grows.
  std::int64_t max_kv_tokens = 0;
};
// `prefill` gives weights, activations and buffers; `kv_bytes` is the cache of the heaviest rank at the workload's
// context.
MemoryFit memory_fit(const Analysis& prefill, std::int64_t kv_bytes, const Hardware& hardware);

}  // namespace tpsim
