#include "exec/mpi_launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "exec/interrupt.h"
#include "exec/launcher_words.h"
#include "exec/process_rank.h"
#include "exec/program_folder.h"

namespace tpsim::exec {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTimeToEnd = std::chrono::milliseconds(2500);  // for mpirun after TERM

// Ranks may be more than cores, run as root in a container, and are not pinned; Open MPI reads this, others ignore it.
// hwloc's remarks about machines without /sys are not the run's.
constexpr const char* kSettings[][2] = {{"HWLOC_HIDE_ERRORS", "2"},
                                        {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                                        {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                                        {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
                                        {"OMPI_MCA_hwloc_base_binding_policy", "none"},
                                        {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
                                        {kReportsExit, "1"}};

std::optional<std::string> on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  for (std::string_view rest = path == nullptr ? "" : path; !rest.empty();) {
    const auto end = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, end)) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

// In the new process.
[[noreturn]] void become(const std::string& launcher, const std::vector<std::string>& words, int errors,
                         const std::vector<std::string>& settings) {
  setpgid(0, 0);                     // Ctrl-C goes to the parent only
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // it does not outlive the parent
  signal(SIGPIPE, SIG_DFL);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(errors, STDERR_FILENO);
  for (const auto& [name, value] : kSettings) setenv(name, value, 0);
  for (const std::string& setting : settings) putenv(const_cast<char*>(setting.c_str()));
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(launcher.c_str(), arguments.data());
  _exit(127);
}

// The launcher while it runs.
class Child {
public:
  Child(pid_t process, int errors) : process_(process), errors_(errors) {}

  // Until it has ended; its wait status.
  int follow() {
    int status = 0;
    while (waitpid(process_, &status, WNOHANG) == 0) {
      read_errors(50);
      if (interrupt_signal() != 0) end();
    }
    read_errors(0);
    close(errors_);
    return status;
  }

  const std::string& text() const { return text_; }

private:
  void read_errors(int wait_ms) {
    pollfd look{errors_, POLLIN, 0};
    char buffer[4096];
    while (poll(&look, 1, wait_ms) > 0) {
      const ssize_t n = read(errors_, buffer, sizeof buffer);
      if (n <= 0) {
        if (wait_ms > 0) poll(nullptr, 0, wait_ms);
        return;
      }
      text_.append(buffer, static_cast<std::size_t>(n));
      wait_ms = 0;
    }
  }

  void end() {
    const auto now = Clock::now();
    if (!told_) {
      told_ = now;
      kill(process_, SIGTERM);
    } else if (now - *told_ > kTimeToEnd) {
      kill(-process_, SIGKILL);
    }
  }

  pid_t process_;
  int errors_;
  std::string text_;
  std::optional<Clock::time_point> told_;
};

Error failed_launch(int status, const std::string& words) {
  Error error =
      input_error("mpirun " + (WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                                   : "failed with exit code " + std::to_string(WEXITSTATUS(status))));
  error.kind = ErrorKind::environment;
  for (std::size_t begin = 0; begin < words.size() && error.details.size() < 12;) {
    const auto end = std::min(words.find('\n', begin), words.size());
    if (end > begin) error.details.push_back(words.substr(begin, end - begin));
    begin = end + 1;
  }
  return error;
}

Result<LaunchedRun> outcome_of(int status, const std::string& text) {
  if (interrupt_signal() != 0) return interrupted_error();
  const Words words = told_apart(text);
  if (const auto killed = killed_rank(words.launcher)) return *killed;
  if (words.exit_code) return LaunchedRun{*words.exit_code, words.ranks};
  return failed_launch(status, words.launcher.empty() ? words.ranks : words.launcher);
}

}  // namespace

Result<LaunchedRun> launch_by_mpi(int ranks, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& settings) {
  if (const auto there = mpi_module(); !there) return there.error();
  const auto launcher = on_path("mpirun");
  if (!launcher) return no_mpi("there is no mpirun on the path");
  std::vector<std::string> words{*launcher, "-n", std::to_string(ranks), program_path()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return no_mpi(std::strerror(errno));
  const pid_t process = fork();
  if (process == 0) become(*launcher, words, ends[1], settings);
  close(ends[1]);
  if (process < 0) return no_mpi(std::strerror(errno));
  Child child(process, ends[0]);
  const int status = child.follow();
  return outcome_of(status, child.text());
}

}  // namespace tpsim::exec
