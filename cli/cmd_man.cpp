#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/help.h"
#include "core/version.h"

namespace tpsim::cli {
namespace {

// Text of a roff line: backslashes and dashes as themselves, no line that begins like a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
      continue;
    }
    if (c == '-') out += '\\';
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    out += c;
  }
  return out;
}

std::string flag_entry(const Flag& flag) {
  std::string text = ".TP\n.B ";
  if (flag.short_name != 0) text += std::string("\\-") + flag.short_name + ", ";
  text += "\\-\\-" + roff(flag.name);
  if (!flag.value.empty()) text += " \\fI" + roff(flag.value) + "\\fR";
  return text + "\n" + roff(flag.help) + "\n";
}

std::string command_entry(const Command& command) {
  std::string text = ".SS tpsim " + roff(command.name) + "\n" + roff(command.summary) + ".\n.PP\n";
  text += roff(usage_line(command)) + "\n";
  if (!command.description.empty()) text += ".PP\n" + roff(command.description) + "\n";
  for (const Example& example : command.examples) text += ".PP\n.nf\n.RS\n" + roff(example.line) + "\n.RE\n.fi\n";
  return text;
}

std::string manual() {
  std::string text = ".TH TPSIM 1 \"\" \"tpsim " + std::string(kVersion) + "\" \"User Commands\"\n";
  text += ".SH NAME\ntpsim \\- simulate, check and run tensor\\-parallel plans\n.SH SYNOPSIS\n.B tpsim\n";
  text += "\\fICOMMAND\\fR [\\fIFLAGS\\fR]\n.SH COMMANDS\n";
  for (const Command& command : all_commands()) text += command_entry(command);
  text += ".SH FLAGS\n";
  for (const Flag& flag : all_flags()) text += flag_entry(flag);
  for (const HelpTopic& topic : help_topics())
    text += ".SH \"" + roff(topic.name) + "\"\n.nf\n" + roff(topic.text) + "\n.fi\n";
  return text;
}

Result<int> run(Context& context) {
  context.out = manual();
  return kExitYes;
}

}  // namespace

Command man_command() {
  Command command;
  command.name = "man";
  command.summary = "the manual page, in roff";
  command.examples = {{"tpsim man > tpsim.1 && man ./tpsim.1", ""}};
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
