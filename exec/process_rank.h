// This process as one rank of a run of several processes that an MPI launcher has started.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "exec/guarded.h"
#include "exec/transport.h"

namespace tpsim::exec {

// Number of processes that were started together with this one and its place among them, from the launcher's
// variables; none: it was started alone. Known before MPI is loaded.
struct ProcessPlace {
  int rank = 0;
  int size = 1;
  int size_here = 1;  // on this machine
};
std::optional<ProcessPlace> process_place();

// Ranks but the first print nothing; called at the start of the program.
void silence_other_ranks();

// Path of what carries messages by MPI. Errors: this tpsim was built without MPI.
Result<std::string> mpi_module();
Error no_mpi(const std::string& why);

// Set by a launcher that reads rank 0's exit code from the last line of standard error, behind kExitMark: mpirun makes
// words, and takes seconds, where a process ends with another code than 0.
inline constexpr char kReportsExit[] = "TPSIM_REPORTS_EXIT";
inline constexpr char kExitMark = '\x1e';

class ProcessRank {
public:
  explicit ProcessRank(std::unique_ptr<Transport> transport);
  ~ProcessRank();

  int rank() const;
  int size() const;

  // Runs the body here; as a RankLauncher. An error stops the other ranks and is rank 0's result, too.
  Result<void> run(int ranks, const RankBody& body);
  void stop(const Error& why);

  // The last act of the process: waits for the others, or ends them where the run has failed. Ranks but the first leave
  // with 0, and the launcher reports rank 0's exit code.
  void leave(int exit_code);

private:
  struct State;
  std::unique_ptr<State> state_;
};

// Joins the other processes of this run; the process leaves them when it exits. Errors: this tpsim, or this machine,
// has no MPI.
Result<ProcessRank*> join_by_mpi();

}  // namespace tpsim::exec
