#include "exec/hang_watch.h"

#include <unistd.h>

#include <ctime>
#include <iostream>
#include <string>

namespace tpsim::exec {
namespace {

using namespace std::chrono_literals;

constexpr auto kHanging = 3500ms;
constexpr auto kHeldUp = 1000ms;        // a watch that was not called so long draws no conclusions
constexpr double kBusySeconds = 0.004;  // of the processor: it computes
constexpr double kIdleSeconds = 0.002;  // of a thread that only looks

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Of all threads but this one.
double processor_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID) - seconds_of(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace

bool HangWatch::hangs(bool excused, int idle_threads) {
  const auto now = std::chrono::steady_clock::now();
  const double used = processor_seconds();
  if (excused || now - looked_ > kHeldUp || used - used_ > kBusySeconds + kIdleSeconds * idle_threads || used < used_) {
    busy_ = now;
    used_ = used;
  }
  looked_ = now;
  return now - busy_ > kHanging;
}

Error hanging_error(const std::string& who) {
  Error error =
      input_error(who + " hangs: it neither computes nor waits for another rank (a disk that does not answer?)");
  error.kind = ErrorKind::environment;
  error.details.push_back("the run was given up; nothing was written");
  return error;
}

void write_error(const Error& why) {
  std::string text = "error: " + why.message + "\n";
  for (const std::string& detail : why.details) text += "  " + detail + "\n";
  std::cerr << text << std::flush;
}

void end_process(const Error& why) {
  write_error(why);
  _exit(exit_code(why.kind));
}

}  // namespace tpsim::exec
