#include "tests/smoke/program.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace tpsim::test {

ProgramRun run_tpsim(const std::string& arguments) {
  const char* const program = std::getenv("TPSIM");
  if (program == nullptr) throw std::runtime_error("TPSIM does not name the program to test");
  FILE* const pipe = popen(("'" + std::string(program) + "' " + arguments + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run the program");
  ProgramRun run;
  std::array<char, 1 << 16> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) run.out.append(buffer.data(), n);
  const int status = pclose(pipe);
  run.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

}  // namespace tpsim::test
