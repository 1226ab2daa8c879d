// One line on a terminal that says how far a long command is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/terminal.h"

namespace tpsim::cli {

// "sweep 1,284/6,400 [#####.........] 20 %  4,120/s  ETA 1.2 s" on standard error: only on a terminal, after 300 ms,
// ten times a second; removed at the end.
class Progress {
public:
  Progress(std::string what, std::int64_t total, const Terminal& err, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void at(std::int64_t done);

private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  std::int64_t total_ = 0;
  bool shows_ = false, shown_ = false;
  int width_ = 80;
  Clock::time_point start_, last_;
};

}  // namespace tpsim::cli
