#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/commands.h"
#include "cli/flags.h"

namespace tpsim::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "tpsim-gui";

// Beside this program, else to be looked for in PATH.
std::string find_program() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  const fs::path beside = self.parent_path() / kProgram;
  return !failed && fs::exists(beside, failed) ? beside.string() : std::string(kProgram);
}

Error not_started(int reason) {
  Error error{ErrorKind::environment, {}, "the visualizer cannot be started: no program tpsim-gui", {}, {}, {}};
  error.message += std::string(" (") + std::strerror(reason) + ")";
  error.details.push_back("it is built where Dear ImGui is installed (Debian: libimgui-dev)");
  error.fixes = {"tpsim report, compare and check give the same answers as text"};
  return error;
}

// The command line never links a window library: a second program takes this one's place.
Result<int> run(Context& context) {
  std::string program = find_program();
  std::vector<std::string> words = context.options.arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(program.c_str(), argv.data());
  return not_started(errno);
}

}  // namespace

Command gui_command() {
  Command command;
  command.name = "gui";
  command.summary = "visualizer: compare and edit plans interactively, or draw pictures of them";
  command.operands = "[FILE...]";
  command.max_operands = 16;
  command.flags = kModelFlags | kConfigFlags | kPlanFlags | kDialectFlags | kHardwareFlags | kStackFlags | kSizeFlags |
                  kWorkloadFlags | kDtypeFlags | kGuiFlags;
  command.in_usage = {"model", "plan", "hw", "tp", "snapshot"};
  command.examples = {
      {"tpsim gui -m llama-3.1-70b --hw h100-sxm --tp 4", "a window"},
      {"tpsim gui -m llama-3.1-70b --tp 4 --snapshot plan.png --size 1600x900", "a picture; needs no display"},
      {"tpsim gui -m llama-3.1-70b --tp 8 --panel shards --select k_proj --snapshot shards.png", "one panel"},
      {"tpsim gui -m llama-3.1-70b --script steps.json --dump-ui ui.json", "drive it as a person would"}};
  command.description =
      "FILEs are opened as if dropped on the window: a config.json, plan, project (*.tpsim.json), result of tpsim run "
      "or "
      "trace. Panels: setup, modules, graph, shards, plan_text, compare, inspector, what_if, problems, memory, "
      "communication, timeline, roofline, speed_up, validation, log, export, keys, hardware.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
