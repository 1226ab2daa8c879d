// One subcommand: what it is called, which flags it takes, what it does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "cli/terminal.h"
#include "core/result.h"

namespace tpsim::cli {

inline constexpr int kExitYes = 0;
inline constexpr int kExitNo = 1;
inline constexpr int kExitUsage = 2;

struct Command;

// What a command reads and writes. `out` and `err` are written when it returns, `out` first.
struct Context {
  const Command& command;
  const Options& options;
  Terminal terminal;  // of standard output (or of the file of -o)
  Terminal err_terminal;
  std::string out;
  std::string err;
  bool long_text = false;       // `out` may go through a pager
  bool output_written = false;  // the command has written the file of -o by itself; `out` goes to standard output
};

struct Example {
  std::string_view line;
  std::string_view purpose;
};

struct Command {
  std::string_view name;      // "report", "plan show"
  std::string_view summary;   // one line
  std::string_view operands;  // as in the usage line: "MODULE"
  std::size_t min_operands = 0, max_operands = 0;
  unsigned flags = 0;                      // FlagSet
  std::vector<std::string_view> required;  // flags that must be given
  std::string_view instead_of_required;    // a flag that makes the required ones unnecessary
  std::vector<std::string_view> in_usage;  // further flags that the usage line shows
  bool input_settings = true;              // settings of one's own stand in for inputs that are not given
  std::vector<Example> examples;
  std::string_view description;            // paragraphs for --help
  Result<int> (*run)(Context&) = nullptr;  // the exit code; with Error, the code of its kind
};

}  // namespace tpsim::cli
