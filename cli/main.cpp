#include <csignal>

#include "cli/run.h"
#include "exec/process_rank.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe shows as EPIPE
  tpsim::exec::silence_other_ranks();
  return tpsim::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
