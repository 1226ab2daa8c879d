#include "exec/interrupt.h"

#include <csignal>

namespace tpsim::exec {
namespace {

volatile std::sig_atomic_t caught = 0;

void note_signal(int signal) { caught = signal; }

}  // namespace

InterruptGuard::InterruptGuard() {
  caught = 0;
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

}  // namespace tpsim::exec
