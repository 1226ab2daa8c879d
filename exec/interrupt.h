// What ends a run early: the ranks look at this flag between operations and while they wait for one another.
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

// Ends this process' part of a run from another thread: a signal came, or another process has failed.
void stop_run(const Error& why);  // the first reason stays
bool run_stopped();
Error stop_reason();

}  // namespace tpsim::exec
