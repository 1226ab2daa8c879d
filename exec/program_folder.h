// Files that are installed together with the running program.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tpsim::exec {

std::string program_path();

// The first that exists of paths relative to the program's folder.
std::optional<std::string> beside_program(const std::vector<std::string>& candidates);

}  // namespace tpsim::exec
