#include "exec/thread_ranks.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/shape.h"
#include "exec/guarded.h"
#include "exec/hang_watch.h"
#include "exec/interrupt.h"
#include "exec/patience.h"
#include "exec/sums.h"

namespace tpsim::exec {
namespace {

constexpr auto kLookForInterrupt = std::chrono::milliseconds(50);
constexpr auto kTimeToEnd = std::chrono::milliseconds(1000);  // for a rank that hangs, after the others have ended

// What a rank brings to a meeting.
struct Offer {
  CollectiveOp op = CollectiveOp::all_reduce;
  Numbers give;
  std::vector<std::int64_t> counts;  // parts of `give` by receiving rank
};

// The meeting place of all ranks.
class Group {
public:
  explicit Group(int ranks) : ranks_(ranks), offers_(static_cast<std::size_t>(ranks)) {}

  int ranks() const { return ranks_; }
  Offer& offer(int rank) { return offers_[static_cast<std::size_t>(rank)]; }

  // Returns when all ranks are here.
  Result<void> meet() {
    std::unique_lock lock(mutex_);
    if (stopped_) return *stopped_;
    const std::int64_t round = round_;
    if (++here_ == ranks_) {
      here_ = 0;
      ++round_;
      all_here_.notify_all();
      return {};
    }
    if (a_core_each_) {
      lock.unlock();
      if (soon([&] { return round != round_; })) return {};
      lock.lock();
    }
    while (round == round_ && !stopped_) wait(lock);
    if (round != round_) return {};
    return *stopped_;
  }

  // Leaves a copy for `to`.
  Result<void> hand_over(int from, int to, Numbers values) {
    const std::byte* begin = static_cast<const std::byte*>(values.data);
    const std::lock_guard lock(mutex_);
    if (stopped_) return *stopped_;
    letters_.push_back({from, to, {begin, begin + static_cast<std::size_t>(values.count) * size_of(values.scalar)}});
    all_here_.notify_all();
    return {};
  }

  // Waits for the first letter from `from`.
  Result<void> take(int from, int to, Numbers values) {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (stopped_) return *stopped_;
      const auto letter =
          std::find_if(letters_.begin(), letters_.end(), [&](const Letter& l) { return l.from == from && l.to == to; });
      if (letter != letters_.end()) {
        const std::size_t expected = static_cast<std::size_t>(values.count) * size_of(values.scalar);
        if (letter->bytes.size() != expected)
          return input_error("rank " + std::to_string(from) + " sends " + std::to_string(letter->bytes.size()) +
                             " bytes where " + std::to_string(expected) + " are expected");
        std::memcpy(values.data, letter->bytes.data(), expected);
        letters_.erase(letter);
        return {};
      }
      wait(lock);
    }
  }

  void stop(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (!stopped_) stopped_ = why;
    all_here_.notify_all();
  }

  // A rank has come to its end. Where another one hangs it gets a little time, then the process ends.
  void finish() {
    std::unique_lock lock(mutex_);
    ++finished_;
    all_here_.notify_all();
    if (hangs_ && !all_here_.wait_for(lock, kTimeToEnd, [&] { return finished_ == ranks_; })) end_process(*stopped_);
  }

private:
  struct Letter {
    int from, to;
    std::vector<std::byte> bytes;
  };

  void wait(std::unique_lock<std::mutex>& lock) {
    all_here_.wait_for(lock, kLookForInterrupt);
    if (interrupt_signal() != 0 && !stopped_) stopped_ = interrupted_error();
    if (stopped_ || !hang_.hangs(false, ranks_)) return;
    stopped_ = hanging_error("a rank");
    hangs_ = true;
    all_here_.notify_all();
  }

  int ranks_;
  bool a_core_each_ = ranks_ <= static_cast<int>(std::thread::hardware_concurrency());
  std::vector<Offer> offers_;
  std::vector<Letter> letters_;  // sent and not yet received, in order
  std::mutex mutex_;
  std::condition_variable all_here_;
  int here_ = 0;
  std::atomic<std::int64_t> round_ = 0;
  std::optional<Error> stopped_;
  HangWatch hang_;
  bool hangs_ = false;
  int finished_ = 0;
};

class ThreadCommunicator final : public Communicator {
public:
  ThreadCommunicator(Group& group, int rank) : group_(group), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_.ranks(); }

  Result<void> all_reduce(Numbers values) override {
    if (auto met = bring(CollectiveOp::all_reduce, values, {}); !met) return met;
    if (auto fits = same_counts(); !fits) return fits;
    // Each rank adds one part of all and gives it to the others; nobody else touches that part.
    const Range part = chunk_range(values.count, size(), rank_);
    const Numbers& sum = group_.offer(0).give;
    for (int r = 1; r < size(); ++r)
      add(values.scalar, at(group_.offer(r).give, part.begin), at(sum, part.begin), part.size());
    for (int r = 1; r < size(); ++r)
      copy(values.scalar, at(sum, part.begin), at(group_.offer(r).give, part.begin), part.size());
    return group_.meet();
  }

  Result<void> all_gather(Numbers mine, Numbers all) override {
    if (auto met = bring(CollectiveOp::all_gather, mine, {}); !met) return met;
    std::int64_t total = 0;
    for (int r = 0; r < size(); ++r) total += group_.offer(r).give.count;
    if (total != all.count)
      return misfit("the ranks gather " + std::to_string(total) + " numbers where " + std::to_string(all.count) +
                    " are expected");
    std::int64_t place = 0;
    for (int r = 0; r < size(); ++r) {
      const Numbers& give = group_.offer(r).give;
      copy(give.scalar, at(give, 0), at(all, place), give.count);
      place += give.count;
    }
    return group_.meet();
  }

  Result<void> reduce_scatter(Numbers all, std::span<const std::int64_t> counts, Numbers mine) override {
    if (auto met = bring(CollectiveOp::reduce_scatter, all, counts); !met) return met;
    if (auto fits = same_counts(); !fits) return fits;
    const std::int64_t begin = std::accumulate(counts.begin(), counts.begin() + rank_, std::int64_t{0});
    const std::vector<std::byte> sum = summed(begin, mine.count, mine.scalar);
    copy(mine.scalar, sum.data(), at(mine, 0), mine.count);
    return group_.meet();
  }

  Result<void> all_to_all(Numbers send, std::span<const std::int64_t> send_counts, Numbers receive,
                          std::span<const std::int64_t> receive_counts) override {
    if (auto met = bring(CollectiveOp::all_to_all, send, send_counts); !met) return met;
    std::int64_t place = 0;
    for (int r = 0; r < size(); ++r) {
      const Offer& offer = group_.offer(r);
      const std::int64_t count = offer.counts[static_cast<std::size_t>(rank_)];
      if (count != receive_counts[static_cast<std::size_t>(r)])
        return misfit("rank " + std::to_string(r) + " sends " + std::to_string(count) + " numbers where " +
                      std::to_string(receive_counts[static_cast<std::size_t>(r)]) + " are expected");
      const std::int64_t begin = std::accumulate(offer.counts.begin(), offer.counts.begin() + rank_, std::int64_t{0});
      copy(receive.scalar, at(offer.give, begin), at(receive, place), count);
      place += count;
    }
    return group_.meet();
  }

  Result<void> broadcast(Numbers values, int root) override {
    if (auto met = bring(CollectiveOp::broadcast, values, {}); !met) return met;
    if (auto fits = same_counts(); !fits) return fits;
    if (rank_ != root) copy(values.scalar, at(group_.offer(root).give, 0), at(values, 0), values.count);
    return group_.meet();
  }

  Result<void> send(Numbers values, int to) override { return group_.hand_over(rank_, to, values); }
  Result<void> receive(Numbers values, int from) override { return group_.take(from, rank_, values); }

  void stop(const Error& why) override { group_.stop(why); }

private:
  Result<void> bring(CollectiveOp op, Numbers give, std::span<const std::int64_t> counts) {
    group_.offer(rank_) = {op, give, {counts.begin(), counts.end()}};
    if (auto met = group_.meet(); !met) return met;
    for (int r = 0; r < size(); ++r)
      if (group_.offer(r).op != op)
        return misfit("rank " + std::to_string(rank_) + " calls " + to_string(op) + " while rank " + std::to_string(r) +
                      " calls " + to_string(group_.offer(r).op));
    return {};
  }

  Result<void> same_counts() {
    for (int r = 0; r < size(); ++r)
      if (group_.offer(r).give.count != group_.offer(rank_).give.count)
        return misfit("rank " + std::to_string(rank_) + " brings " + std::to_string(group_.offer(rank_).give.count) +
                      " numbers and rank " + std::to_string(r) + " " + std::to_string(group_.offer(r).give.count));
    return {};
  }

  std::vector<std::byte> summed(std::int64_t begin, std::int64_t count, Scalar scalar) {
    std::vector<std::byte> sum(static_cast<std::size_t>(count) * size_of(scalar));
    copy(scalar, at(group_.offer(0).give, begin), sum.data(), count);
    for (int r = 1; r < size(); ++r) add(scalar, at(group_.offer(r).give, begin), sum.data(), count);
    return sum;
  }

  Result<void> misfit(const std::string& message) {
    Error error = input_error("the ranks do not meet in the same collective: " + message);
    group_.stop(error);
    return error;
  }

  Group& group_;
  int rank_;
};

}  // namespace

Result<void> run_on_threads(int ranks, const RankBody& body) {
  Group group(ranks);
  std::vector<Result<void>> results(static_cast<std::size_t>(ranks));
  const auto one = [&](int rank) {
    ThreadCommunicator communicator(group, rank);
    Result<void> result = guarded(body, communicator);
    if (!result) communicator.stop(result.error());
    results[static_cast<std::size_t>(rank)] = std::move(result);
    group.finish();
  };
  std::vector<std::thread> threads;
  for (int rank = 1; rank < ranks; ++rank) threads.emplace_back(one, rank);
  one(0);
  for (std::thread& thread : threads) thread.join();
  for (const Result<void>& result : results)
    if (!result) return result;
  return {};
}

}  // namespace tpsim::exec
