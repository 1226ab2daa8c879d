#include "cli/run_ranks.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <tuple>
#include <vector>

#include "cli/sizes.h"
#include "exec/mpi_launch.h"
#include "exec/thread_ranks.h"

namespace tpsim::cli {
namespace {

Result<void> check_names(const Options& options) {
  for (const auto& [flag, value, known] : {std::tuple{"--backend", options.backend, std::vector{"cpu"}},
                                           std::tuple{"--comm", options.comm, std::vector{"threads", "mpi"}}}) {
    if (!value || std::find(known.begin(), known.end(), *value) != known.end()) continue;
    Error error = usage_error(std::string(flag) + " " + *value + ": this build has " + known.front() +
                              (known.size() > 1 ? " and " + std::string(known.back()) : " only"));
    error.kind = ErrorKind::environment;
    error.fixes = {std::string(flag) + " " + known.front()};
    return error;
  }
  return {};
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  return arguments;
}

// Only rank 0 would get standard input.
Result<void> check_no_stdin(const Options& options) {
  for (const auto& [flag, value] : {std::pair{"--model", options.model}, {"--plan", options.plan}})
    if (value && *value == "-") {
      Error error = usage_error(std::string(flag) + " -: the processes of --comm mpi do not share standard input");
      error.fixes = {std::string(flag) + " FILE", "--comm threads"};
      return error;
    }
  return {};
}

std::optional<int> ranks_given(const Options& options) {
  if (options.ranks) return options.ranks;
  const auto place = exec::process_place();
  if (comm_of(options) == "mpi" && place) return place->size;
  return std::nullopt;
}

}  // namespace

std::string_view comm_of(const Options& options) {
  if (options.comm) return *options.comm;
  const auto place = exec::process_place();
  return place && place->size > 1 ? "mpi" : "threads";
}

Error RunRanks::given_up(const Error& why) const {
  if (process != nullptr) process->stop(why);
  return why;
}

Result<RunRanks> ranks_of(const Options& options) {
  if (auto known = check_names(options); !known) return known.error();
  RunRanks ranks;
  ranks.launch = exec::run_on_threads;
  if (comm_of(options) == "threads") return ranks;
  if (auto files = check_no_stdin(options); !files) return files.error();
  ranks.by_mpirun = !exec::process_place();
  if (ranks.by_mpirun) {
    const auto module = exec::mpi_module();
    if (!module) return module.error();
    return ranks;
  }
  const auto process = exec::join_by_mpi();
  if (!process) return process.error();
  ranks.process = *process;
  ranks.first = ranks.process->rank() == 0;
  ranks.launch = [rank = ranks.process](int count, const exec::RankBody& body) { return rank->run(count, body); };
  return ranks;
}

Result<int> run_tp(const Options& options, const Model& model, const AnalysisRequest& request) {
  const auto ranks = ranks_given(options);
  if (!options.tp && ranks) return *ranks;
  const auto tp = single_tp(options, model, request);
  if (!tp || !options.ranks || std::max(*tp, options.ep) == *options.ranks) return tp;
  Error error = usage_error("--tp " + std::to_string(*tp) + " (--ep " + std::to_string(options.ep) + ") is not for " +
                            std::to_string(*options.ranks) + " ranks");
  error.fixes = {"-n " + std::to_string(std::max(*tp, options.ep)), "--tp " + std::to_string(*options.ranks)};
  return error;
}

Result<int> run_by_mpirun(Context& context, int ranks) {
  std::vector<std::string> settings{"COLUMNS=" + std::to_string(context.terminal.width)};
  if (context.terminal.color) settings.push_back("CLICOLOR_FORCE=1");
  auto run = exec::launch_by_mpi(ranks, own_arguments(), settings);
  if (!run) return run.error();
  context.err = std::move(run->errors);
  context.output_written = true;
  return run->exit_code;
}

}  // namespace tpsim::cli
