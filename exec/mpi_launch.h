// Starts this program again as the ranks of a run, by mpirun.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace tpsim::exec {

struct LaunchedRun {
  int exit_code = 0;   // rank 0's
  std::string errors;  // what the ranks wrote to standard error; the launcher's own words are left out
};

// `arguments` behind the program's name; `settings`: NAME=VALUE for the ranks' environment. The ranks write to this
// process' standard output. Returns when all processes have ended. Errors: no MPI here, a rank that was killed, a
// launcher that fails, an interruption.
Result<LaunchedRun> launch_by_mpi(int ranks, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& settings);

}  // namespace tpsim::exec
