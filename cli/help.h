// Help and usage lines, all generated from the tables of commands and flags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace tpsim::cli {

std::string general_usage_line();
std::string usage_line(const Command& command);

std::string general_help(bool with_examples, int width);
std::string command_help(const Command& command, bool with_examples, int width);

struct HelpTopic {
  std::string_view name;
  std::string_view summary;
  std::string_view text;
};
const std::vector<HelpTopic>& help_topics();

}  // namespace tpsim::cli
