// Running the program under test.
#pragma once

#include <string>

namespace tpsim::test {

struct ProgramRun {
  std::string out;  // standard output; standard error is dropped
  int exit = -1;
};

// `arguments` as a shell would read them. The program is $TPSIM.
ProgramRun run_tpsim(const std::string& arguments);

}  // namespace tpsim::test
