#include "cli/help.h"

#include <algorithm>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/text.h"

namespace tpsim::cli {
namespace {

constexpr std::size_t kMaxHelpWidth = 100;

std::size_t help_width(int width) { return std::min(kMaxHelpWidth, static_cast<std::size_t>(width)); }

std::string flag_usage(const Flag& flag) {
  std::string text = flag.short_name != 0 ? "-" + std::string(1, flag.short_name) : "--" + std::string(flag.name);
  if (!flag.value.empty()) text += " " + std::string(flag.value);
  return text;
}

std::string flag_label(const Flag& flag) {
  std::string text = flag.short_name != 0 ? "-" + std::string(1, flag.short_name) + ", " : "    ";
  text += "--" + std::string(flag.name);
  if (!flag.value.empty()) text += " " + std::string(flag.value);
  return text;
}

// Two columns; the second is wrapped and keeps its indent. Long labels stand on a line of their own.
void append_entry(std::string& out, const std::string& label, std::string_view text, std::size_t label_width,
                  std::size_t width) {
  const std::size_t indent = 2 + label_width + 2;
  const std::size_t room = width > indent + 20 ? width - indent : 20;
  bool fits = label.size() <= label_width;
  out += "  " + padded(label, label_width) + (fits ? "  " : "\n");
  for (const auto& line : wrapped(text, room)) {
    if (!fits) out.append(indent, ' ');
    out += line + "\n";
    fits = false;
  }
}

std::vector<const Flag*> flags_of(const Command& command, FlagGroup group) {
  std::vector<const Flag*> flags;
  for (const Flag& flag : all_flags())
    if (flag.group == group && (flag.sets & (command.flags | kEverywhere)) != 0) flags.push_back(&flag);
  return flags;
}

void append_flags(std::string& out, const Command& command, std::size_t width) {
  constexpr std::size_t label_width = 24;
  for (const auto group : {FlagGroup::input, FlagGroup::workload, FlagGroup::action, FlagGroup::output}) {
    const auto flags = flags_of(command, group);
    if (flags.empty()) continue;
    out += std::string("\n") + to_string(group) + ":\n";
    for (const Flag* flag : flags) append_entry(out, flag_label(*flag), flag->help, label_width, width);
  }
}

void append_examples(std::string& out, const std::vector<Example>& examples) {
  if (examples.empty()) return;
  out += "Examples:\n";
  for (const Example& example : examples) {
    if (!example.purpose.empty()) out += "  # " + std::string(example.purpose) + "\n";
    out += "  " + std::string(example.line) + "\n";
  }
  out += "\n";
}

void append_paragraphs(std::string& out, std::string_view text, std::size_t width) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    for (const auto& line : wrapped(text.substr(0, end), width)) out += line + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::string general_usage_line() { return "usage: tpsim COMMAND [FLAGS]"; }

std::string usage_line(const Command& command) {
  std::string line = "usage: tpsim " + std::string(command.name);
  if (!command.operands.empty()) {
    const std::string operands(command.operands);
    line += command.min_operands == 0 ? " [" + operands + "]" : " " + operands;
  }
  for (const auto name : command.required) line += " " + flag_usage(*find_flag(name));
  for (const auto name : command.in_usage) line += " [" + flag_usage(*find_flag(name)) + "]";
  return line + " [FLAGS]";
}

std::string general_help(bool with_examples, int width) {
  constexpr std::size_t label_width = 16;
  std::string out = "tpsim: what a tensor-parallel plan means, whether it fits, and how fast it is\n\n";
  if (with_examples) {
    append_examples(out,
                    {{"tpsim report -m meta-llama/Llama-3.1-70B --hw h100-sxm --tp 1,2,4,8",
                      "memory, time and communication over TP sizes"},
                     {"tpsim fit -m meta-llama/Llama-3.1-70B --hw h100-sxm --gpus 4", "does it fit, with which TP"},
                     {"tpsim check -m config.json -p my_plan.json", "what is wrong with a plan, and the fix"},
                     {"tpsim shard -m llama-3.1-70b layers.0.self_attn.k_proj --tp 4", "how one weight is cut"}});
  }
  out += "usage: tpsim COMMAND [FLAGS]\n\nCommands:\n";
  for (const Command& command : all_commands())
    append_entry(out, std::string(command.name), command.summary, label_width, help_width(width));
  out += "\nTopics (tpsim help TOPIC):\n";
  for (const HelpTopic& topic : help_topics())
    append_entry(out, std::string(topic.name), topic.summary, label_width, help_width(width));
  out += "\nFlags of a command: tpsim COMMAND -h; with examples: tpsim COMMAND --help\n";
  return out;
}

std::string command_help(const Command& command, bool with_examples, int width) {
  std::string out = "tpsim " + std::string(command.name) + ": " + std::string(command.summary) + "\n\n";
  if (with_examples) append_examples(out, command.examples);
  out += usage_line(command) + "\n";
  if (with_examples && !command.description.empty()) {
    out += "\n";
    append_paragraphs(out, command.description, help_width(width));
  }
  append_flags(out, command, help_width(width));
  const auto group = command.name.substr(0, command.name.find(' '));
  const auto actions = actions_of(group);
  if (!actions.empty()) out += "\nActions of " + std::string(group) + ": " + joined(actions, ", ") + "\n";
  return out;
}

}  // namespace tpsim::cli
