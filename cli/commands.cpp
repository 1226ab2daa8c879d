#include "cli/commands.h"

#include <algorithm>

namespace tpsim::cli {

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      report_command(),
      fit_command(),
      check_command(),
      compare_command(),
      plan_show_command(),
      plan_init_command(),
      plan_convert_command(),
      plan_fmt_command(),
      shard_command(),
      memory_command(),
      comm_command(),
      redistribute_command(),
      sweep_command(),
      trace_command(),
      trace_import_command(),
      export_command(),
      run_command(),
      validate_command(),
      evaluate_command(),
      calibrate_command(),
      serve_command(),
      gui_command(),
      models_list_command(),
      models_show_command(),
      hardware_list_command(),
      hardware_show_command(),
      strategies_list_command(),
      strategies_show_command(),
      explain_command(),
      completions_command(),
      man_command(),
      doctor_command(),
      help_command(),
      version_command(),
  };
  return commands;
}

const Command* find_command(std::string_view name) {
  if (name == "analyze") name = "report";
  const auto& commands = all_commands();
  const auto it = std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == name; });
  return it == commands.end() ? nullptr : &*it;
}

std::vector<std::string> actions_of(std::string_view group) {
  std::vector<std::string> actions;
  for (const Command& command : all_commands()) {
    const auto space = command.name.find(' ');
    if (space != std::string_view::npos && command.name.substr(0, space) == group) {
      actions.emplace_back(command.name.substr(space + 1));
    }
  }
  return actions;
}

}  // namespace tpsim::cli
