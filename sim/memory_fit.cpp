#include <algorithm>

#include "sim/predict.h"

namespace tpsim {
namespace {

// What one more position costs, and what does not grow any more, over all layers of the heaviest rank.
struct Cache {
  std::int64_t growing_per_position = 0;
  std::int64_t fixed = 0;
};

Cache cache_of(const Analysis& analysis) {
  const Workload& w = analysis.workload;
  const std::int64_t positions = w.batch * (w.past + w.tokens);
  Cache cache;
  for (const Step& step : analysis.steps) {
    const Trace& trace = analysis.traces[static_cast<std::size_t>(step.trace)];
    const std::int64_t per_position = trace.cache_bytes_per_position;
    const bool grows = per_position > 0 && trace.cache_bytes / per_position >= positions;
    cache.growing_per_position += grows ? per_position : 0;
    cache.fixed += grows ? 0 : trace.cache_bytes;
  }
  return cache;
}

std::int64_t room_for(const Cache& cache, std::int64_t free) {
  if (cache.growing_per_position <= 0) return 0;
  return std::max<std::int64_t>(0, free - cache.fixed) / cache.growing_per_position;
}

}  // namespace

MemoryFit memory_fit(const Analysis& prefill, std::int64_t kv_bytes, const Hardware& hardware) {
  MemoryFit fit;
  if (!prefill.memory.empty()) {
    const RankMemory& rank = prefill.memory[static_cast<std::size_t>(heaviest_rank(prefill))];
    fit.weights = rank.weights;
    fit.activations = rank.activations;
    fit.communication = rank.communication;
  }
  fit.kv_cache = kv_bytes;
  fit.runtime = hardware.runtime_reserve.value + (prefill.ranks() > 1 ? hardware.communicator_reserve.value : 0);
  fit.capacity = hardware.memory.value;
  const std::int64_t others = fit.weights + fit.activations + fit.communication + fit.runtime;
  fit.total = others + kv_bytes;
  fit.fits = fit.total <= fit.capacity;
  fit.max_kv_tokens = room_for(cache_of(prefill), fit.capacity - others);
  return fit;
}

}  // namespace tpsim
