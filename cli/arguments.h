// From argv to a command and its options.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "core/result.h"

namespace tpsim::cli {

struct Invocation {
  const Command* command = nullptr;  // null: `tpsim`, `tpsim --help`, `tpsim --version`
  Options options;
};

// Flags and the command's words may come in any order. What is not given is taken from the settings. An error ends with
// the usage line of the command.
Result<Invocation> parse_arguments(const std::vector<std::string>& arguments, const Settings& settings = {});

// What can be said about errors of the arguments themselves: true if any of them asks for JSON.
bool asks_for_json(const std::vector<std::string>& arguments);

}  // namespace tpsim::cli
