// One invocation of tpsim, from arguments to exit code.
#pragma once

#include <string>
#include <vector>

namespace tpsim::cli {

// Writes to standard output, standard error and the file of -o. Never throws.
int run(const std::vector<std::string>& arguments);

}  // namespace tpsim::cli
