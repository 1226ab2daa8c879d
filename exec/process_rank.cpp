#include "exec/process_rank.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "exec/hang_watch.h"
#include "exec/message_communicator.h"
#include "exec/post.h"
#include "exec/program_folder.h"
#include "exec/rank_watch.h"

namespace tpsim::exec {
namespace {

constexpr char kModule[] = "libtpsim_mpi.so";

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text < '0' || *text > '9') return std::nullopt;
  return std::atoi(text);
}

int spoken_errors = -1;  // standard error of a silenced rank

}  // namespace

std::optional<ProcessPlace> process_place() {
  for (const auto& [size, rank] : {std::pair{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, {"PMI_SIZE", "PMI_RANK"}})
    if (const auto n = number_in(size))
      return ProcessPlace{number_in(rank).value_or(0), *n, number_in("OMPI_COMM_WORLD_LOCAL_SIZE").value_or(*n)};
  return std::nullopt;
}

void silence_other_ranks() {
  const auto place = process_place();
  if (!place || place->rank == 0) return;
  spoken_errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
}

Error no_mpi(const std::string& why) {
  Error error = input_error("ranks as MPI processes are not possible here: " + why);
  error.kind = ErrorKind::environment;
  error.fixes = {"--comm threads", "install Open MPI (Debian: openmpi-bin libopenmpi-dev) and build tpsim with it"};
  return error;
}

Result<std::string> mpi_module() {
  const auto path = beside_program({kModule, std::string("../lib/tpsim/") + kModule});
  if (!path) return no_mpi("this tpsim was built without MPI");
  return *path;
}

struct ProcessRank::State {
  explicit State(std::unique_ptr<Transport> transport)
      : post(std::move(transport)), communicator(post), watch(post, [this](const Error& why) { give_up(why); }) {}

  // The rank's own thread does not return: the watch speaks for it.
  void give_up(const Error& why) {
    if (speaks()) {
      raise_voice();
      write_error(why);
    }
    end_all(tpsim::exit_code(why.kind));
  }

  bool speaks() const { return post.rank() == 0 || (post.rank() == 1 && watch.first_rank_lost()); }

  // The first rank is lost, and this one speaks in its place.
  void raise_voice() const {
    if (speaks() && spoken_errors >= 0) dup2(spoken_errors, STDERR_FILENO);
  }

  void report_exit(int exit_code) const {
    if (speaks() && std::getenv(kReportsExit) != nullptr)
      std::cerr << kExitMark + std::to_string(exit_code) + "\n" << std::flush;
  }

  void end_all(int exit_code) {
    using namespace std::chrono_literals;
    report_exit(exit_code);
    if (!speaks()) std::this_thread::sleep_for(4s);
    post.abort(exit_code);
    _exit(exit_code);
  }

  Post post;
  MessageCommunicator communicator;
  RankWatch watch;
};

ProcessRank::ProcessRank(std::unique_ptr<Transport> transport)
    : state_(std::make_unique<State>(std::move(transport))) {}
ProcessRank::~ProcessRank() = default;

int ProcessRank::rank() const { return state_->post.rank(); }
int ProcessRank::size() const { return state_->post.size(); }

Result<void> ProcessRank::run(int ranks, const RankBody& body) {
  if (ranks != size()) {
    Error error = usage_error("the plan needs " + std::to_string(ranks) + " ranks, and " + std::to_string(size()) +
                              " processes were started");
    error.fixes = {"mpirun -n " + std::to_string(ranks), "--tp " + std::to_string(size())};
    return error;
  }
  state_->watch.body_starts();
  const Result<void> result = guarded(body, state_->communicator);
  while (!state_->watch.body_ends()) pause();  // the watch ends this process
  if (!result) stop(result.error());
  state_->raise_voice();
  return result;
}

void ProcessRank::stop(const Error& why) { state_->post.stop(why); }

void ProcessRank::leave(int exit_code) {
  if (!state_->post.stopped()) (void)state_->communicator.meet();
  state_->watch.end();
  if (state_->post.stopped()) state_->end_all(exit_code == 0 ? tpsim::exit_code(ErrorKind::environment) : exit_code);
  state_->report_exit(exit_code);
  state_->post.finish();
  if (rank() != 0 || std::getenv(kReportsExit) != nullptr) _exit(0);
}

Result<ProcessRank*> join_by_mpi() {
  const auto path = mpi_module();
  if (!path) return path.error();
  void* module = dlopen(path->c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (module == nullptr) return no_mpi(dlerror());
  const auto open_transport = reinterpret_cast<Transport* (*)()>(dlsym(module, "tpsim_open_transport"));
  if (open_transport == nullptr) return no_mpi(std::string(kModule) + " belongs to another version");
  auto* rank = new ProcessRank(std::unique_ptr<Transport>(open_transport()));  // lives as long as the process
  on_exit([](int exit_code, void* joined) { static_cast<ProcessRank*>(joined)->leave(exit_code); }, rank);
  return rank;
}

}  // namespace tpsim::exec
