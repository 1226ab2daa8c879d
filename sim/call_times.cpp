#include "sim/call_times.h"

#include <algorithm>
#include <utility>

namespace tpsim {
namespace {

// Sums over the calls of a group.
class CallSums {
public:
  explicit CallSums(const CallGroups& groups) : groups_(groups), seconds_(groups.groups.size(), 0) {
    bands_.assign(seconds_.size(), 0);
  }

  void add(int group, Seconds time, double band) {
    const auto g = static_cast<std::size_t>(group);
    seconds_[g] += time.count();
    bands_[g] = std::max(bands_[g], band);
  }

  std::vector<PredictedCalls> calls() const {
    std::vector<PredictedCalls> list;
    for (std::size_t g = 0; g < seconds_.size(); ++g) {
      const CallGroup& group = groups_.groups[g];
      const double count = static_cast<double>(std::max<std::int64_t>(group.count, 1));
      list.push_back({group, Seconds(seconds_[g] / count), bands_[g]});
    }
    return list;
  }

private:
  const CallGroups& groups_;
  std::vector<double> seconds_, bands_;
};

// The entries of one trace stand together, in order.
template <class Entry>
std::vector<std::vector<const Entry*>> by_trace(const std::vector<Entry>& entries, std::size_t traces) {
  std::vector<std::vector<const Entry*>> sorted(traces);
  for (const Entry& entry : entries) sorted[static_cast<std::size_t>(entry.trace)].push_back(&entry);
  return sorted;
}

}  // namespace

PassPrediction predict_calls(Predictor& predictor, const Analysis& analysis) {
  const Prediction prediction = predictor.predict(analysis);
  const CallGroups groups = call_groups(analysis);
  const auto operations = by_trace(prediction.operations, analysis.traces.size());
  const auto collectives = by_trace(prediction.collectives, analysis.traces.size());
  CallSums sums(groups);
  for (std::size_t s = 0; s < analysis.steps.size(); ++s) {
    const auto trace = static_cast<std::size_t>(analysis.steps[s].trace);
    for (const OperationTime* op : operations[trace])
      sums.add(groups.of_operation[s][static_cast<std::size_t>(op->index)], op->time, op->kernel.band);
    for (const CollectiveTime* event : collectives[trace])
      sums.add(groups.of_collective[s][static_cast<std::size_t>(event->index)], event->time, event->estimate.band);
  }
  const Workload& w = analysis.workload;
  return {w.past > 0 ? "decode" : "prefill",
          w.batch,
          w.tokens,
          w.past,
          prediction.total,
          prediction.host,
          prediction.band,
          sums.calls()};
}

}  // namespace tpsim
