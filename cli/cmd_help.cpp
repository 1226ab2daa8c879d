#include <algorithm>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/text.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

Error unknown_topic(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : all_commands()) names.emplace_back(command.name);
  for (const HelpTopic& topic : help_topics()) names.emplace_back(topic.name);
  Error error = usage_error("no command or topic \"" + name + "\"");
  const auto near = nearest(name, names);
  if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
  error.fixes = {"tpsim help"};
  return error;
}

Result<int> run(Context& context) {
  const auto& operands = context.options.operands;
  context.long_text = true;
  if (operands.empty()) {
    context.out = general_help(true, context.terminal.width);
    return kExitYes;
  }
  const std::string name = joined(operands, " ");
  if (const Command* command = find_command(name)) {
    context.out = command_help(*command, true, context.terminal.width);
    return kExitYes;
  }
  if (const auto actions = actions_of(name); !actions.empty()) {
    for (const auto& action : actions)
      context.out += command_help(*find_command(name + " " + action), true, context.terminal.width) + "\n";
    return kExitYes;
  }
  const auto& topics = help_topics();
  const auto topic = std::find_if(topics.begin(), topics.end(), [&](const HelpTopic& t) { return t.name == name; });
  if (topic == topics.end()) return unknown_topic(name);
  context.out = topic->text;
  return kExitYes;
}

}  // namespace

Command help_command() {
  Command command;
  command.name = "help";
  command.summary = "help on a command or a topic";
  command.operands = "COMMAND|TOPIC";
  command.max_operands = 2;
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
