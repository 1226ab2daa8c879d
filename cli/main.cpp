#include <csignal>

#include "cli/run.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe shows as EPIPE
  return tpsim::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
