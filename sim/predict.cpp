#include "sim/predict.h"

#include "sim/collective_time.h"
#include "sim/kernel_time.h"

namespace tpsim {
namespace {

struct Passes {
  std::int64_t count = 0;
  bool norm_follows = false;
};

bool begins_with_norm(const Trace& trace) {
  return !trace.operations.empty() && trace.operations.front().kind == OperationKind::norm;
}

// How often each trace runs, and whether a norm comes after it (every time).
std::vector<Passes> passes_of(const Analysis& analysis) {
  std::vector<Passes> passes(analysis.traces.size());
  for (std::size_t s = 0; s < analysis.steps.size(); ++s) {
    Passes& p = passes[static_cast<std::size_t>(analysis.steps[s].trace)];
    const bool norm = s + 1 < analysis.steps.size() &&
                      begins_with_norm(analysis.traces[static_cast<std::size_t>(analysis.steps[s + 1].trace)]);
    p.norm_follows = norm && (p.count == 0 || p.norm_follows);
    ++p.count;
  }
  return passes;
}

void add_operations(const Analysis& analysis, const Hardware& hardware, int trace, const Passes& passes,
                    Prediction& p) {
  const Trace& t = analysis.traces[static_cast<std::size_t>(trace)];
  const auto times = kernel_times(t, analysis.workload, hardware, passes.norm_follows);
  for (std::size_t i = 0; i < times.size(); ++i) {
    p.operations.push_back({trace, static_cast<int>(i), passes.count, times[i].time, times[i].bound});
    p.compute += times[i].time * static_cast<double>(passes.count);
  }
}

CollectiveTime time_of(const CollectiveEvent& event, const Hardware& hardware) {
  const double bytes = static_cast<double>(event.payload_bytes);
  const CollectiveCost cost = collective_cost(event.op, bytes, event.group, hardware);
  CollectiveTime t;
  t.time = cost.time;
  t.algorithm = cost.algorithm;
  t.algbw = cost.time.count() > 0 ? bytes / cost.time.count() : 0;
  t.busbw = t.algbw * bus_factor(event.op, event.group);
  return t;
}

void add_collectives(const Analysis& analysis, const Hardware& hardware, int trace, const Passes& passes,
                     Prediction& p) {
  const Trace& t = analysis.traces[static_cast<std::size_t>(trace)];
  for (std::size_t i = 0; i < t.forward.size(); ++i) {
    CollectiveTime time = time_of(t.forward[i], hardware);
    time.trace = trace;
    time.index = static_cast<int>(i);
    time.count = passes.count;
    p.communication += time.time * static_cast<double>(passes.count);
    p.collectives.push_back(std::move(time));
  }
}

}  // namespace

const char* to_string(Bound bound) {
  switch (bound) {
    case Bound::compute: return "compute";
    case Bound::memory: return "memory";
    case Bound::network: return "network";
    case Bound::latency: return "latency";
  }
  return "";
}

Prediction predict(const Analysis& analysis, const Hardware& hardware) {
  Prediction p;
  p.source = hardware.source;
  const auto passes = passes_of(analysis);
  for (std::size_t t = 0; t < passes.size(); ++t) {
    add_operations(analysis, hardware, static_cast<int>(t), passes[t], p);
    add_collectives(analysis, hardware, static_cast<int>(t), passes[t], p);
  }
  p.total = p.compute + p.communication;
  p.low = p.total * (1 - p.band);
  p.high = p.total * (1 + p.band);
  return p;
}

}  // namespace tpsim
