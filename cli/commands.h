// All subcommands, in the order of the help.
#pragma once

#include <string_view>
#include <vector>

#include "cli/command.h"

namespace tpsim::cli {

const std::vector<Command>& all_commands();
// By full name ("plan show") or alias ("analyze").
const Command* find_command(std::string_view name);
// "show", "init", ... where `group` is the first word of commands of two words.
std::vector<std::string> actions_of(std::string_view group);

// Each in its own file.
Command report_command();
Command fit_command();
Command check_command();
Command compare_command();
Command plan_show_command();
Command plan_init_command();
Command plan_convert_command();
Command plan_fmt_command();
Command shard_command();
Command memory_command();
Command comm_command();
Command redistribute_command();
Command trace_command();
Command trace_import_command();
Command export_command();
Command run_command();
Command validate_command();
Command evaluate_command();
Command calibrate_command();
Command gui_command();
Command models_list_command();
Command models_show_command();
Command hardware_list_command();
Command hardware_show_command();
Command strategies_list_command();
Command strategies_show_command();
Command explain_command();
Command completions_command();
Command man_command();
Command help_command();
Command serve_command();
Command sweep_command();
Command doctor_command();
Command version_command();

}  // namespace tpsim::cli
