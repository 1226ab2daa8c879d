// Wall time of whole `tpsim` processes, started cold from here. TPSIM names the program.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

struct Case {
  std::vector<std::string> arguments;
  double budget_ms;
};

// Time until the process has ended with code 0, its output thrown away.
std::optional<Milliseconds> time_once(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t silent;
  posix_spawn_file_actions_init(&silent);
  posix_spawn_file_actions_addopen(&silent, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&silent, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  int status = -1;
  const bool started = posix_spawn(&child, program.c_str(), &silent, nullptr, argv.data(), environ) == 0;
  if (started) waitpid(child, &status, 0);
  const Milliseconds time = std::chrono::steady_clock::now() - start;
  posix_spawn_file_actions_destroy(&silent);
  if (!started || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return time;
}

std::optional<std::vector<double>> sample(const std::string& program, const Case& command, int runs) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const std::optional<Milliseconds> time = time_once(program, command.arguments);
    if (!time) return std::nullopt;
    times.push_back(time->count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

}  // namespace

int main() {
  const char* program = std::getenv("TPSIM");
  if (program == nullptr) {
    std::puts("process_bench: TPSIM does not name the program; skipped");
    return 0;
  }
  const std::vector<Case> commands = {
      {{"--version"}, 5},
      {{"report", "-m", "meta-llama/Llama-3.1-70B", "--hw", "h100-sxm", "--tp", "1,2,4,8"}, 30},
      {{"check", "-m", "meta-llama/Llama-3.1-70B", "--tp", "8"}, 30},
  };
  std::puts("   median        p90     budget  command, whole process");
  for (const Case& command : commands) {
    std::string text = "tpsim";
    for (const std::string& word : command.arguments) text += ' ' + word;
    const auto times = sample(program, command, 50);
    if (times) {
      std::printf("%6.2f ms  %6.2f ms  %6.0f ms  %s\n", (*times)[25], (*times)[45], command.budget_ms, text.c_str());
    } else {
      std::printf("   failed                      %s\n", text.c_str());
    }
  }
}
