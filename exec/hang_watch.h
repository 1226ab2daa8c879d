// Notices that this process neither computes nor has a reason to wait: it hangs, on a disk that does not answer, say.
#pragma once

#include <chrono>

#include "core/result.h"

namespace tpsim::exec {

class HangWatch {
public:
  // To be called several times a second. True when the process has used no processor time for some seconds though it
  // was not excused. `idle_threads`: how many wake up now and then only to look.
  bool hangs(bool excused, int idle_threads);

private:
  std::chrono::steady_clock::time_point looked_{}, busy_{};
  double used_ = 0;  // seconds of the processor
};

Error hanging_error(const std::string& who);  // "rank 3"

// Writes the error and ends the process: where a thread that hangs cannot be waited for.
[[noreturn]] void end_process(const Error& why);
void write_error(const Error& why);

}  // namespace tpsim::exec
