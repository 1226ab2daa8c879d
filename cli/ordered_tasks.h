// Tasks on several threads whose texts come out in order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"

namespace tpsim::cli {

// One thread's worker: the text of a task. Made once per thread, so it can keep what the next task needs again.
using TaskWorker = std::function<Result<std::string>(std::int64_t task)>;

struct TaskRun {
  std::int64_t first = 0, end = 0;  // tasks
  int threads = 1;
  std::function<TaskWorker()> make_worker;
  // Called in order of the tasks, never twice at a time; false stops the run.
  std::function<Result<bool>(std::int64_t task, const std::string& text)> take;
  std::function<bool()> stopped;  // asked between tasks
};

// Returns the number of tasks that `take` got. Memory: at most a few texts per thread wait for their turn. Errors: the
// first task's, in order.
Result<std::int64_t> run_in_order(const TaskRun& run);

}  // namespace tpsim::cli
