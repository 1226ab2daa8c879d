#include "exec/kernels/workers.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "exec/patience.h"

namespace tpsim::exec {
namespace {

thread_local Workers* current = nullptr;

}  // namespace

struct Workers::Shared {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake, finished;
  const std::function<void(int)>* part = nullptr;
  std::atomic<std::int64_t> round = 0;
  std::atomic<int> busy = 0;
  bool ends = false;

  void serve(int index) {
    for (std::int64_t seen = 0;;) {
      if (!soon([&] { return round.load(std::memory_order_acquire) != seen; })) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return round.load(std::memory_order_relaxed) != seen; });
      }
      ++seen;
      if (ends) return;
      (*part)(index);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex);
        finished.notify_one();
      }
    }
  }

  void start() {
    const std::lock_guard lock(mutex);
    busy.store(static_cast<int>(threads.size()), std::memory_order_relaxed);
    round.fetch_add(1, std::memory_order_release);
    wake.notify_all();
  }
};

Workers::Workers(int threads) : shared_(std::make_unique<Shared>()) {
  for (int i = 1; i < threads; ++i) shared_->threads.emplace_back([shared = shared_.get(), i] { shared->serve(i); });
}

Workers::~Workers() {
  shared_->ends = true;
  shared_->start();
  for (std::thread& thread : shared_->threads) thread.join();
}

int Workers::threads() const { return static_cast<int>(shared_->threads.size()) + 1; }

void Workers::run(const std::function<void(int)>& part) {
  shared_->part = &part;
  shared_->start();
  part(0);
  const auto idle = [&] { return shared_->busy.load(std::memory_order_acquire) == 0; };
  if (soon(idle)) return;
  std::unique_lock lock(shared_->mutex);
  shared_->finished.wait(lock, idle);
}

int share_of_threads(int ranks) {
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / std::max(1, ranks));
}

WorkersScope::WorkersScope(Workers* workers) : before_(current) { current = workers; }
WorkersScope::~WorkersScope() { current = before_; }

void parallel_for(std::int64_t count, std::int64_t least,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& f) {
  if (count <= 0) return;
  const std::int64_t most = current == nullptr ? 1 : current->threads();
  const std::int64_t parts = std::clamp<std::int64_t>(count / std::max<std::int64_t>(least, 1), 1, most);
  if (parts == 1) return f(0, count);
  Workers* const workers = std::exchange(current, nullptr);  // inner ones stay on their thread
  workers->run([&](int i) {
    if (i < parts) f(count * i / parts, count * (i + 1) / parts);
  });
  current = workers;
}

}  // namespace tpsim::exec
