#include "cli/ordered_tasks.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace tpsim::cli {
namespace {

constexpr std::int64_t kAheadPerThread = 8;

class Queue {
public:
  explicit Queue(const TaskRun& run) : run_(run), next_(run.first), out_(run.first) {}

  void work() {
    const TaskWorker worker = run_.make_worker();
    while (const auto task = claim()) deliver(*task, worker(*task));
  }

  Result<std::int64_t> outcome() const {
    if (error_) return *error_;
    return out_ - run_.first;
  }

private:
  std::optional<std::int64_t> claim() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return done_ || next_ - out_ < kAheadPerThread * run_.threads; });
    if (done_ || next_ >= run_.end || run_.stopped()) return std::nullopt;
    return next_++;
  }

  void deliver(std::int64_t task, Result<std::string> text) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(task, std::move(text));
    while (!done_ && !waiting_.empty() && waiting_.begin()->first == out_) take_first();
    room_.notify_all();
  }

  void take_first() {
    const auto first = waiting_.begin();
    const Result<std::string> text = std::move(first->second);
    waiting_.erase(first);
    if (!text) return stop(text.error());
    const auto taken = run_.take(out_, *text);
    if (!taken) return stop(taken.error());
    ++out_;
    if (!*taken) done_ = true;
  }

  void stop(Error error) {
    error_ = std::move(error);
    done_ = true;
  }

  const TaskRun& run_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::map<std::int64_t, Result<std::string>> waiting_;
  std::int64_t next_, out_;
  bool done_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<std::int64_t> run_in_order(const TaskRun& run) {
  Queue queue(run);
  std::vector<std::thread> threads;
  for (int t = 1; t < run.threads; ++t) threads.emplace_back([&] { queue.work(); });
  queue.work();
  for (std::thread& thread : threads) thread.join();
  return queue.outcome();
}

}  // namespace tpsim::cli
