// One request of `tpsim serve --stdio`: a line of JSON that asks what a command line asks (docs/serve.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tpsim::cli {

struct ServeRequest {
  std::string id = "null";                   // as JSON, given back unchanged
  std::string method;                        // "predict", or a command: "report" (also "analyze"), "plan show"
  std::vector<std::string> arguments;        // of the command line, without the command
  std::map<std::string, std::string> texts;  // by flag: what the request holds in place of a file
  std::optional<Error> error;                // why it cannot be answered; `id` is still right where there was one
};

// Never fails as a whole: what is wrong with the line is in `error`.
ServeRequest read_request(std::string_view line);

// Methods of the protocol: "hello", "predict" and the names of commands.
const std::vector<std::string>& serve_methods();

}  // namespace tpsim::cli
