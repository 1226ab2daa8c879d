// Times of a piece of work, printed: median, fastest, budget.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

namespace tpsim {

// budget_us 0 = none.
inline void measure(const char* what, double budget_us, const std::function<void()>& work) {
  using Microseconds = std::chrono::duration<double, std::micro>;
  std::vector<double> times;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
  while (times.size() < 20 || (times.size() < 20000 && std::chrono::steady_clock::now() < end)) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(Microseconds(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%10.2f us  %10.2f us", times[times.size() / 2], times.front());
  if (budget_us > 0)
    std::printf("  %8.0f us", budget_us);
  else
    std::printf("            ");
  std::printf("  %s\n", what);
}

}  // namespace tpsim
