// Who the ranks of `tpsim run` are: threads, this process and others that mpirun has started, or processes that are yet
// to be started.
#pragma once

#include <string_view>

#include "cli/command.h"
#include "core/analyze.h"
#include "exec/process_rank.h"
#include "exec/run_plan.h"

namespace tpsim::cli {

struct RunRanks {
  bool by_mpirun = false;  // this process only starts the ranks
  exec::ProcessRank* process = nullptr;
  exec::RankLauncher launch;
  bool first = true;  // this process prints

  // The same error; the other processes are told.
  Error given_up(const Error& why) const;
};

Result<RunRanks> ranks_of(const Options& options);

std::string_view comm_of(const Options& options);  // "threads", "mpi"

// The size of --tp, else the number of ranks. Errors: they contradict each other.
Result<int> run_tp(const Options& options, const Model& model, const AnalysisRequest& request);

// This command line on `ranks` processes: the exit code of rank 0, which prints.
Result<int> run_by_mpirun(Context& context, int ranks);

}  // namespace tpsim::cli
