// What mpirun says among the ranks' own messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tpsim::exec {

struct Words {
  std::string ranks, launcher;
  std::optional<int> exit_code;  // as the rank that speaks for the run reports it
};
// The exit code ends the ranks' words: a rank that was given up may wake to be ended, and say so.
// Open MPI frames its own words by rulers, or puts [host:process] in front.
Words told_apart(std::string_view text);

// "process rank 1 with PID 7 on node x exited on signal 9 (Killed)." -> an error that says so.
std::optional<Error> killed_rank(std::string_view launcher);

}  // namespace tpsim::exec
