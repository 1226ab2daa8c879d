#include "cli/arguments.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/help.h"
#include "cli/sweep_axes.h"
#include "cli/text.h"
#include "core/suggest.h"

namespace tpsim::cli {
namespace {

// "-8" and "-0.5" are values; "-" is standard input; everything else with a dash in front is a flag.
bool looks_like_flag(std::string_view text) {
  return text.size() > 1 && text.front() == '-' && !(text[1] >= '0' && text[1] <= '9');
}

std::string flag_text(const Flag& flag) { return "--" + std::string(flag.name); }

class Parser {
public:
  Parser(const std::vector<std::string>& arguments, const Settings& settings)
      : arguments_(arguments), settings_(settings) {}

  Result<Invocation> run() {
    invocation_.options.arguments = arguments_;
    while (next_ < arguments_.size()) take(arguments_[next_++]);
    resolve_command();
    for (const Setting& setting : settings_.values) use_setting(setting);
    settle_axes();
    if (!error_) check();
    if (error_) return with_usage(*error_);
    return std::move(invocation_);
  }

private:
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  void take(std::string_view argument) {
    if (flags_ended_ || !looks_like_flag(argument)) {
      words_.emplace_back(argument);
    } else if (argument == "--") {
      flags_ended_ = true;
    } else if (argument.starts_with("--")) {
      take_long(argument.substr(2));
    } else {
      take_short(argument.substr(1));
    }
  }

  void take_long(std::string_view text) {
    const auto equals = text.find('=');
    const Flag* const flag = find_flag(text.substr(0, equals));
    if (flag == nullptr) return fail(unknown_flag("--" + std::string(text.substr(0, equals))));
    if (equals == std::string_view::npos) return apply_next(*flag);
    if (flag->value.empty()) return fail(usage_error(flag_text(*flag) + " takes no value"));
    apply(*flag, text.substr(equals + 1));
  }

  // "-q", "-vv", "-b8", "-b 8"
  void take_short(std::string_view text) {
    while (!text.empty()) {
      const Flag* const flag = find_flag(text.front());
      if (flag == nullptr) return fail(unknown_flag("-" + std::string(text.substr(0, 1))));
      text.remove_prefix(1);
      if (flag->short_name == 'h') invocation_.options.short_help = true;
      if (flag->value.empty()) {
        apply(*flag, {});
        continue;
      }
      if (text.empty()) return apply_next(*flag);
      return apply(*flag, text.starts_with('=') ? text.substr(1) : text);
    }
  }

  void apply_next(const Flag& flag) {
    if (flag.value.empty()) return apply(flag, {});
    if (next_ >= arguments_.size() || looks_like_flag(arguments_[next_])) {
      return fail(usage_error(flag_text(flag) + " needs a value: " + flag_text(flag) + " " + std::string(flag.value)));
    }
    apply(flag, arguments_[next_++]);
  }

  void apply(const Flag& flag, std::string_view value) {
    seen_.push_back(&flag);
    if (is_sweep_axis(flag.name)) invocation_.options.axes.push_back({std::string(flag.name), std::string(value)});
    const auto applied = flag.apply(invocation_.options, value);
    if (applied) return;
    Error error = applied.error();
    error.message = flag_text(flag) + ": " + error.message;
    if (is_sweep_axis(flag.name)) {
      if (!axis_error_) axis_error_ = std::move(error);
      return;
    }
    usage_helps_ = error_ ? usage_helps_ : false;
    fail(std::move(error));
  }

  // Where the flag is not given and the command takes it. Commands about measurements take no inputs from settings.
  void use_setting(const Setting& setting) {
    const Command* const command = invocation_.command;
    const Flag* const flag = find_flag(setting.flag);
    if (command == nullptr || (flag->sets & (command->flags | kEverywhere)) == 0) return;
    if (std::find(seen_.begin(), seen_.end(), flag) != seen_.end()) return;
    if (flag->group != FlagGroup::output && !command->input_settings) return;
    if (is_sweep_axis(flag->name)) invocation_.options.axes.push_back({setting.flag, setting.value});
    const auto applied = flag->apply(invocation_.options, setting.value);
    if (applied) return;
    Error error = applied.error();
    error.message = "\"" + setting.flag + "\": " + error.message;
    error.where = setting.place;
    error.fixes = {"tpsim doctor --settings   shows where each value comes from"};
    fail(std::move(error));
  }

  // A sweep takes lists where other commands take one value, and reads them by itself.
  void settle_axes() {
    const bool sweeps = invocation_.command != nullptr && (invocation_.command->flags & kSweepFlags) != 0;
    if (sweeps || !axis_error_) return;
    usage_helps_ = error_ ? usage_helps_ : false;
    fail(std::move(*axis_error_));
  }

  Error unknown_flag(const std::string& given) const {
    std::vector<std::string> names;
    for (const Flag& flag : all_flags()) names.push_back(flag_text(flag));
    Error error = usage_error("unknown flag \"" + given + "\"");
    const auto near = nearest(given, names);
    if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
    return error;
  }

  void resolve_command() {
    Options& options = invocation_.options;
    if (words_.empty()) {
      if (!options.long_help && !options.version) fail(no_command());
      return;
    }
    std::size_t used = 1;
    invocation_.command = find_command(words_[0]);
    const Command* const action = words_.size() < 2 ? nullptr : find_command(words_[0] + " " + words_[1]);
    if (action != nullptr) {
      invocation_.command = action;
      used = 2;
    } else if (invocation_.command == nullptr && !actions_of(words_[0]).empty()) {
      if (words_.size() < 2 && options.long_help) return show_group();
    }
    if (invocation_.command == nullptr) return fail(unknown_command());
    options.operands.assign(words_.begin() + static_cast<std::ptrdiff_t>(used), words_.end());
  }

  // `tpsim plan --help`: the help of its first action names the others.
  void show_group() { invocation_.command = find_command(words_[0] + " " + actions_of(words_[0]).front()); }

  Error no_command() const {
    Error error = usage_error("no command given");
    error.fixes = {"tpsim help"};
    return error;
  }

  Error unknown_command() const {
    const auto actions = actions_of(words_[0]);
    if (!actions.empty()) {
      Error error = usage_error(words_.size() < 2 ? words_[0] + " needs an action"
                                                  : "unknown action \"" + words_[1] + "\" of " + words_[0]);
      error.details.push_back("actions: " + joined(actions, ", "));
      error.fixes = {"tpsim help " + words_[0]};
      return error;
    }
    std::vector<std::string> names;
    for (const Command& command : all_commands()) {
      const std::string name(command.name.substr(0, command.name.find(' ')));
      if (names.empty() || names.back() != name) names.push_back(name);
    }
    Error error = usage_error("unknown command \"" + words_[0] + "\"");
    const auto near = nearest(words_[0], names);
    if (!near.empty()) error.details.push_back("nearest: " + joined(near, ", "));
    error.fixes = {"tpsim help"};
    return error;
  }

  void check() {
    if (invocation_.command == nullptr || invocation_.options.long_help || invocation_.options.version) return;
    const Command& command = *invocation_.command;
    for (const Flag* flag : seen_)
      if ((flag->sets & (command.flags | kEverywhere)) == 0) return fail(foreign_flag(*flag));
    if (auto phase = check_phase(command); !phase) return fail(phase.error());
    const bool waived =
        std::any_of(seen_.begin(), seen_.end(), [&](const Flag* f) { return f->name == command.instead_of_required; });
    for (const auto name : command.required)
      if (!waived && std::none_of(seen_.begin(), seen_.end(), [&](const Flag* f) { return f->name == name; })) {
        return fail(usage_error(std::string(command.name) + " needs --" + std::string(name)));
      }
    check_operands(command);
  }

  // Flags of training need --phase train, and that a command that trains.
  Result<void> check_phase(const Command& command) const {
    const bool trains = invocation_.options.phase == Phase::train;
    if (trains && (command.flags & (kTrainingFlags | kRunFlags)) == 0)
      return usage_error(std::string(command.name) + " knows no --phase train; report and run do");
    for (const Flag* flag : seen_) {
      if (trains && (flag->name == "ctx" || flag->name == "gen" || flag->name == "chunk" || flag->name == "kv-dtype"))
        return usage_error(flag_text(*flag) + " is no part of a training step; --prompt is its sequence length");
      if (trains || flag->sets != kTrainingFlags) continue;
      Error error = usage_error(flag_text(*flag) + " is about training");
      error.fixes = {"--phase train"};
      return error;
    }
    return {};
  }

  void check_operands(const Command& command) {
    const auto& operands = invocation_.options.operands;
    if (operands.size() < command.min_operands) {
      return fail(usage_error(std::string(command.name) + " needs " + std::string(command.operands)));
    }
    if (operands.size() > command.max_operands) {
      fail(usage_error("unexpected \"" + operands[command.max_operands] + "\" after " + std::string(command.name)));
    }
  }

  Error foreign_flag(const Flag& flag) const {
    std::vector<std::string> owners;
    for (const Command& command : all_commands())
      if ((command.flags & flag.sets) != 0) owners.emplace_back(command.name);
    Error error = usage_error(std::string(invocation_.command->name) + " has no flag " + flag_text(flag));
    error.details.push_back("commands that have it: " + joined(owners, ", "));
    return error;
  }

  Error with_usage(Error error) const {
    const Command* const command = invocation_.command;
    if (usage_helps_) error.details.push_back(command ? usage_line(*command) : general_usage_line());
    if (error.fixes.empty())
      error.fixes = {"tpsim " + (command ? std::string(command->name) + " -h" : std::string("help"))};
    return error;
  }

  const std::vector<std::string>& arguments_;
  const Settings& settings_;
  std::size_t next_ = 0;
  bool flags_ended_ = false;
  std::vector<std::string> words_;
  std::vector<const Flag*> seen_;
  std::optional<Error> error_;
  std::optional<Error> axis_error_;  // of a value that may be a list
  bool usage_helps_ = true;          // false where a flag is right and its value is not
  Invocation invocation_;
};

}  // namespace

Result<Invocation> parse_arguments(const std::vector<std::string>& arguments, const Settings& settings) {
  return Parser(arguments, settings).run();
}

bool asks_for_json(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] == "--json" || arguments[i] == "--format=json") return true;
    if (arguments[i] == "--format" && i + 1 < arguments.size() && arguments[i + 1] == "json") return true;
  }
  return false;
}

}  // namespace tpsim::cli
