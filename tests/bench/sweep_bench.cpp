// Points per second of a sweep over plans, TP sizes, batches and contexts, written to nothing. The budget: 1,000,000
// points in 60 s on two cores.
#include <chrono>
#include <cstdio>
#include <string>

#include "cli/run.h"

int main() {
  const auto start = std::chrono::steady_clock::now();
  const int exit =
      tpsim::cli::run({"sweep", "-m", "meta-llama/Llama-3.1-70B", "-p", "auto,builtin:llama", "--tp", "1,2,4,8", "-b",
                       "1..250", "--ctx", "256..128000+256", "--jobs", "2", "-o", "/dev/null"});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("sweep of 1,000,000 points on 2 threads: %.1f s (budget 60 s), %.0f points/s\n", seconds, 1e6 / seconds);
  return exit;
}
