#include "exec/measure_rank.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tpsim::exec {
namespace {

using Clock = std::chrono::steady_clock;

// Which calls an entry of a recorded trace stands for.
class CallIndex {
public:
  explicit CallIndex(const Recorded& pass) : pass_(pass), groups_(call_groups(pass.analysis)) {
    for (const auto& events : groups_.of_collective)
      event_group_.insert(event_group_.end(), events.begin(), events.end());
  }

  const std::vector<CallGroup>& groups() const { return groups_.groups; }

  // Adds the time of an entry to its groups, if it stands for any: by their bytes where it stands for several
  // operations.
  void add(std::size_t step, std::size_t index, std::size_t events, double time, std::vector<double>& seconds) const {
    const auto& code = pass_.recording.traces[static_cast<std::size_t>(pass_.analysis.steps[step].trace)].code;
    if (is_communication(code[index].primitive)) {
      if (events >= 1 && events <= event_group_.size())
        seconds[static_cast<std::size_t>(event_group_[events - 1])] += time;
      return;
    }
    const std::size_t begin = index == 0 ? 0 : code[index - 1].operations, end = code[index].operations;
    double bytes = 0;
    for (std::size_t i = begin; i < end; ++i) bytes += bytes_of(step, i);
    for (std::size_t i = begin; i < end; ++i) {
      const double share = bytes > 0 ? bytes_of(step, i) / bytes : 1 / static_cast<double>(end - begin);
      seconds[static_cast<std::size_t>(groups_.of_operation[step][i])] += time * share;
    }
  }

private:
  double bytes_of(std::size_t step, std::size_t operation) const {
    const auto group = static_cast<std::size_t>(groups_.of_operation[step][operation]);
    return static_cast<double>(groups_.groups[group].bytes);
  }

  const Recorded& pass_;
  CallGroups groups_;
  std::vector<int> event_group_;
};

// One pass on one rank, in seconds: each group of calls, and the whole.
template <class Real>
class PassClock : public RunObserver<Real> {
public:
  explicit PassClock(const CallIndex& calls) : seconds(calls.groups().size() + 1, 0), calls_(calls) {}

  void module_returned(const RecordedOutput&, const std::string&, const Tensor<Real>&) override {}
  void operation_ran(std::size_t step, std::size_t index, Seconds time, std::size_t events) override {
    calls_.add(step, index, events, time.count(), seconds);
  }

  std::vector<double> seconds;  // by group; last: the pass

private:
  const CallIndex& calls_;
};

// Seconds of all ranks: rank by rank, iteration by iteration, then as in PassClock.
class AllTimes {
public:
  AllTimes(std::vector<double> seconds, int ranks, int iterations, const std::vector<CallGroup>& groups)
      : seconds_(std::move(seconds)), ranks_(ranks), iterations_(iterations), groups_(groups) {}

  PassMeasurement summary() const {
    PassMeasurement pass;
    std::vector<double> other, skew, total;
    for (int i = 0; i < iterations_; ++i) {
      total.push_back(slowest(i, groups_.size()));
      double listed = 0;
      for (std::size_t g = 0; g < groups_.size(); ++g) listed += of_group(i, g);
      other.push_back(std::max(0.0, total.back() - listed));
      skew.push_back(skew_of(i));
    }
    pass.total = timing_of(total);
    pass.other = timing_of(other);
    pass.skew = timing_of(skew);
    for (std::size_t g = 0; g < groups_.size(); ++g) pass.calls.push_back({groups_[g], timing_of(each(g))});
    return pass;
  }

private:
  double at(int rank, int iteration, std::size_t column) const {
    const auto row = static_cast<std::size_t>(rank * iterations_ + iteration);
    return seconds_[row * (groups_.size() + 1) + column];
  }
  double slowest(int iteration, std::size_t column) const {
    double most = 0;
    for (int r = 0; r < ranks_; ++r) most = std::max(most, at(r, iteration, column));
    return most;
  }
  // In a collective the ranks that come first wait for the last.
  double of_group(int iteration, std::size_t g) const {
    if (!groups_[g].collective) return slowest(iteration, g);
    double least = at(0, iteration, g);
    for (int r = 1; r < ranks_; ++r) least = std::min(least, at(r, iteration, g));
    return least;
  }
  std::vector<double> each(std::size_t g) const {
    std::vector<double> seconds;
    for (int i = 0; i < iterations_; ++i)
      seconds.push_back(of_group(i, g) / static_cast<double>(std::max<std::int64_t>(groups_[g].count, 1)));
    return seconds;
  }
  double skew_of(int iteration) const {
    double least = 0, most = 0;
    for (int r = 0; r < ranks_; ++r) {
      double own = 0;
      for (std::size_t g = 0; g < groups_.size(); ++g)
        if (!groups_[g].collective) own += at(r, iteration, g);
      least = r == 0 ? own : std::min(least, own);
      most = std::max(most, own);
    }
    return most - least;
  }

  std::vector<double> seconds_;
  int ranks_, iterations_;
  const std::vector<CallGroup>& groups_;
};

template <class Real>
class Repeater {
public:
  Repeater(RankRun<Real>& rank, Communicator& communicator, const Repeats& repeats)
      : rank_(rank), communicator_(communicator), repeats_(repeats) {}

  Result<PassMeasurement> repeat(const Recorded& pass, const Tensor<Real>& ids) {
    const typename RankRun<Real>::States before = rank_.states();
    const CallIndex calls(pass);
    std::vector<double> mine;
    for (int i = -repeats_.warmup; i < repeats_.iterations; ++i) {
      rank_.set_states(before);
      auto seconds = timed(pass, ids, calls);
      if (!seconds) return seconds.error();
      if (i >= 0) mine.insert(mine.end(), seconds->begin(), seconds->end());
    }
    std::vector<double> all(mine.size() * static_cast<std::size_t>(communicator_.size()));
    if (auto done = communicator_.all_gather(numbers_of(mine), numbers_of(all)); !done) return done.error();
    PassMeasurement measured =
        AllTimes(std::move(all), communicator_.size(), repeats_.iterations, calls.groups()).summary();
    const Workload& workload = pass.analysis.workload;
    measured.phase = workload.past > 0 ? "decode" : "prefill";
    measured.batch = workload.batch;
    measured.tokens = workload.tokens;
    measured.past = workload.past;
    return measured;
  }

private:
  static Numbers numbers_of(std::vector<double>& values) {
    return {values.data(), static_cast<std::int64_t>(values.size()), Scalar::float64};
  }

  // From a common start.
  Result<std::vector<double>> timed(const Recorded& pass, const Tensor<Real>& ids, const CallIndex& calls) {
    PassClock<Real> clock(calls);
    std::vector<double> one{1};
    if (auto ready = communicator_.all_reduce(numbers_of(one)); !ready) return ready.error();
    const auto start = Clock::now();
    auto logits = rank_.forward(pass, ids, pass.analysis.workload.past, &clock);
    if (!logits) return logits.error();
    clock.seconds.back() = Seconds(Clock::now() - start).count();
    return std::move(clock.seconds);
  }

  RankRun<Real>& rank_;
  Communicator& communicator_;
  const Repeats& repeats_;
};

}  // namespace

template <class Real>
Result<Measurement> measure(RankRun<Real>& rank, Communicator& communicator, const std::vector<Recorded>& passes,
                            const Tensor<Real>& ids, const Repeats& repeats) {
  Measurement measurement;
  measurement.warmup = repeats.warmup;
  measurement.iterations = repeats.iterations;
  Repeater<Real> repeater(rank, communicator, repeats);
  rank.set_states({});
  auto loaded = rank.forward(passes.front(), ids, 0, nullptr);
  if (!loaded) return loaded.error();
  const typename RankRun<Real>::States behind_prompt = rank.states();
  rank.set_states({});
  auto prefill = repeater.repeat(passes.front(), ids);
  if (!prefill) return prefill.error();
  measurement.passes.push_back(*std::move(prefill));
  if (passes.size() < 2 || !passes[1].analysis.complete) return measurement;
  rank.set_states(behind_prompt);
  const std::int64_t batch = ids.shape[0];
  const auto step = make_ids<Real>(Shape{batch, 1}, std::vector<std::int64_t>(static_cast<std::size_t>(batch), 1));
  auto decode = repeater.repeat(passes[1], step);
  if (!decode) return decode.error();
  measurement.passes.push_back(*std::move(decode));
  return measurement;
}

template Result<Measurement> measure(RankRun<float>&, Communicator&, const std::vector<Recorded>&, const Tensor<float>&,
                                     const Repeats&);
template Result<Measurement> measure(RankRun<double>&, Communicator&, const std::vector<Recorded>&,
                                     const Tensor<double>&, const Repeats&);

}  // namespace tpsim::exec
