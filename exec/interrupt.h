// Ctrl-C during a run: the ranks look at this flag between operations and while they wait for one another.
#pragma once

#include "core/result.h"

namespace tpsim::exec {

// Ctrl-C and TERM set the flag as long as this object lives.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

int interrupt_signal();  // 0 = none came
Error interrupted_error();

}  // namespace tpsim::exec
