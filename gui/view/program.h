// tpsim-gui from its arguments to an exit code: pictures, scripts and benchmarks here; a window is another program's.
#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "gui/view/host.h"

namespace tpsim::gui {

struct Startup {
  App app;
  HostOptions host;
};
// Errors: bad flags, files that cannot be opened.
Result<Startup> start_up(const cli::Options& options);

int run(const std::vector<std::string>& arguments);

// Of tpsim gui: "gui" is put in front where it is missing.
Result<cli::Invocation> parse(std::vector<std::string> arguments);
int report(const Error& error);

}  // namespace tpsim::gui
