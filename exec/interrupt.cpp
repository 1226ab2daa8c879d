#include "exec/interrupt.h"

#include <atomic>
#include <csignal>
#include <mutex>

namespace tpsim::exec {
namespace {

volatile std::sig_atomic_t caught = 0;

std::atomic<bool> stopped = false;
std::mutex reason_mutex;
Error reason;

void note_signal(int signal) { caught = signal; }

}  // namespace

InterruptGuard::InterruptGuard() {
  caught = 0;
  stopped = false;
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int interrupt_signal() { return caught; }

Error interrupted_error() {
  Error error = input_error(caught == SIGTERM ? "stopped by TERM" : "stopped by Ctrl-C");
  error.details.push_back("nothing was written");
  return error;
}

void stop_run(const Error& why) {
  const std::lock_guard lock(reason_mutex);
  if (!stopped) reason = why;
  stopped = true;
}

bool run_stopped() { return caught != 0 || stopped; }

Error stop_reason() {
  if (caught != 0) return interrupted_error();
  const std::lock_guard lock(reason_mutex);
  return reason;
}

}  // namespace tpsim::exec
