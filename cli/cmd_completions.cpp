#include <algorithm>
#include <map>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/text.h"
#include "core/dialect.h"
#include "core/model_source.h"
#include "sim/hardware.h"
#include "sim/stack.h"

namespace tpsim::cli {
namespace {

std::vector<std::string> model_ids() {
  std::vector<std::string> ids;
  for (const KnownConfig& known : known_configs()) ids.push_back(known.id);
  return ids;
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> names = {"latest"};
  for (const int major : {4, 5})
    for (int minor = 0; minor < 100; ++minor) {
      const Dialect dialect{major, minor, 0};
      const bool released = major == 4 ? minor <= 57 : true;
      if (released && dialect >= kOldestDialect && dialect <= kNewestDialect) names.push_back(to_string(dialect));
    }
  return names;
}

// Values that a flag can take, where they are a known set; files otherwise.
std::vector<std::string> values_of(const Flag& flag) {
  static const std::map<std::string_view, std::vector<std::string>> fixed_sets = {
      {"phase", {"prefill", "decode", "both"}},
      {"format", {"table", "plain", "json", "ndjson", "csv", "md", "html", "github", "sarif"}},
      {"units", {"iec", "si", "bytes"}},
      {"color", {"auto", "always", "never"}},
      {"detail", {"shards", "events", "ops", "layers", "all"}},
      {"dtype", {"fp32", "fp16", "bf16", "fp8", "int8", "int4", "mxfp4"}},
      {"kv-dtype", {"fp32", "fp16", "bf16", "fp8", "int8"}},
      {"plan", {"auto", "none"}},
      {"tp", {"1,2,4,8", "valid"}}};
  if (flag.name == "model") return model_ids();
  if (flag.name == "hw") return hardware_names();
  if (flag.name == "stack") return stack_names();
  if (flag.name == "dialect") return dialect_names();
  const auto it = fixed_sets.find(flag.name);
  return it == fixed_sets.end() ? std::vector<std::string>{} : it->second;
}

std::vector<const Flag*> flags_of(const Command& command) {
  std::vector<const Flag*> flags;
  for (const Flag& flag : all_flags())
    if ((flag.sets & (command.flags | kEverywhere)) != 0) flags.push_back(&flag);
  return flags;
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const Command& command : all_commands()) {
    std::string word(command.name.substr(0, command.name.find(' ')));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

std::string flag_words(const Command& command) {
  std::vector<std::string> words;
  for (const Flag* flag : flags_of(command)) words.push_back("--" + std::string(flag->name));
  return joined(words, " ");
}

std::string value_cases() {
  std::string text;
  for (const Flag& flag : all_flags()) {
    const auto values = values_of(flag);
    if (values.empty()) continue;
    std::string pattern = "--" + std::string(flag.name);
    if (flag.short_name != 0) pattern += std::string("|-") + flag.short_name;
    text += "    " + pattern + ") words=\"" + joined(values, " ") + "\" ;;\n";
  }
  return text;
}

std::string bash_script() {
  std::string text =
      "# bash completion of tpsim: source this file, or put it into /usr/share/bash-completion/completions/tpsim\n"
      "_tpsim() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= command=\n"
      "  case $prev in\n" +
      value_cases() +
      "  esac\n"
      "  if [ -n \"$words\" ]; then\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "    case $prev in --model|-m|--plan|-p|--hw) COMPREPLY+=($(compgen -f -- \"$cur\")) ;; esac\n"
      "    return\n"
      "  fi\n"
      "  command=${COMP_WORDS[1]}\n"
      "  case \"$command ${COMP_WORDS[2]}\" in\n";
  for (const Command& command : all_commands()) {
    const bool pair = command.name.find(' ') != std::string_view::npos;
    text +=
        "    \"" + std::string(command.name) + (pair ? "\"" : " \"*") + ") words=\"" + flag_words(command) + "\" ;;\n";
  }
  text += "  esac\n  if [ \"$COMP_CWORD\" = 1 ]; then\n    words=\"" + joined(first_words(), " ") + "\"\n  fi\n";
  text += "  if [ \"$COMP_CWORD\" = 2 ]; then\n    case $command in\n";
  for (const auto& word : first_words())
    if (const auto actions = actions_of(word); !actions.empty())
      text += "      " + word + ") words=\"" + joined(actions, " ") + "\" ;;\n";
  text +=
      "    esac\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "  case $cur in -*) ;; *) [ \"$COMP_CWORD\" = 1 ] || COMPREPLY+=($(compgen -f -- \"$cur\")) ;; esac\n"
      "}\n"
      "complete -F _tpsim tpsim\n";
  return text;
}

// zsh runs the same function under its emulation of bash's completion.
std::string zsh_script() { return "#compdef tpsim\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(); }

std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_flag(const Command& command, const Flag& flag) {
  const std::string name(command.name);
  const auto space = name.find(' ');
  std::string condition = "__fish_seen_subcommand_from " + name.substr(0, space);
  if (space != std::string::npos) condition += "; and __fish_seen_subcommand_from " + name.substr(space + 1);
  std::string line = "complete -c tpsim -n " + fish_quoted(condition) + " -l " + std::string(flag.name);
  if (flag.short_name != 0) line += std::string(" -s ") + flag.short_name;
  if (!flag.value.empty()) line += " -r";
  if (const auto values = values_of(flag); !values.empty()) line += " -a " + fish_quoted(joined(values, " "));
  return line + " -d " + fish_quoted(flag.help) + "\n";
}

std::string fish_script() {
  std::string text = "# fish completion of tpsim: put it into ~/.config/fish/completions/tpsim.fish\n";
  for (const auto& word : first_words()) {
    text += "complete -c tpsim -n __fish_use_subcommand -f -a " + word;
    const Command* const command = find_command(word);
    text += (command ? " -d " + fish_quoted(command->summary) : "") + "\n";
    if (const auto actions = actions_of(word); !actions.empty())
      text += "complete -c tpsim -n " + fish_quoted("__fish_seen_subcommand_from " + word) + " -f -a " +
              fish_quoted(joined(actions, " ")) + "\n";
  }
  for (const Command& command : all_commands())
    for (const Flag* flag : flags_of(command)) text += fish_flag(command, *flag);
  return text;
}

Result<int> run(Context& context) {
  const std::string& shell = context.options.operands.front();
  if (shell == "bash")
    context.out = bash_script();
  else if (shell == "zsh")
    context.out = zsh_script();
  else if (shell == "fish")
    context.out = fish_script();
  else {
    Error error = usage_error("\"" + shell + "\" is not one of bash, zsh, fish");
    error.fixes = {"tpsim completions bash"};
    return error;
  }
  return kExitYes;
}

}  // namespace

Command completions_command() {
  Command command;
  command.name = "completions";
  command.summary = "script that completes commands, flags and their values";
  command.operands = "bash|zsh|fish";
  command.min_operands = command.max_operands = 1;
  command.examples = {{"source <(tpsim completions bash)", "in this shell"},
                      {"tpsim completions fish > ~/.config/fish/completions/tpsim.fish", "for good"}};
  command.description = "Models, hardware, stacks and dialects are those of this build.";
  command.run = run;
  return command;
}

}  // namespace tpsim::cli
