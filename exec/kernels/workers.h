// The threads of one rank.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace tpsim::exec {

class Workers {
public:
  explicit Workers(int threads);  // the calling thread is one of them
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const;
  // Runs part(0) .. part(threads - 1), the first on the calling thread; returns when all are done. `part` throws
  // nothing.
  void run(const std::function<void(int)>& part);

private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

// Threads of each of `ranks` ranks that share this machine's cores; at least 1.
int share_of_threads(int ranks);

// While it lives, parallel_for on this thread uses `workers`.
class WorkersScope {
public:
  explicit WorkersScope(Workers* workers);
  ~WorkersScope();
  WorkersScope(const WorkersScope&) = delete;
  WorkersScope& operator=(const WorkersScope&) = delete;

private:
  Workers* before_;
};

// f(begin, end) on consecutive parts of [0, count), at most one per thread, each of at least `least` (the last one may
// be shorter). The parts depend on the number of threads alone. Inside f it does all on the own thread.
void parallel_for(std::int64_t count, std::int64_t least,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& f);

// `least` for `cost` numbers touched per item: below some ten microseconds of work another thread does not help.
constexpr std::int64_t worth_a_thread(std::int64_t cost) {
  constexpr std::int64_t kNumbers = 32768;
  return cost <= 0 ? kNumbers : (kNumbers + cost - 1) / cost;
}

}  // namespace tpsim::exec
