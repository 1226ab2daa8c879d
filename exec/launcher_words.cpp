#include "exec/launcher_words.h"

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "exec/process_rank.h"

namespace tpsim::exec {
namespace {

bool is_ruler(std::string_view line) {
  return line.size() > 20 && line.find_first_not_of('-') == std::string_view::npos;
}

bool names_a_process(std::string_view line) {
  static const std::regex kOrigin(R"(^\[[^\]\s]+:\d+\].*)");
  return std::regex_match(line.begin(), line.end(), kOrigin) || line.starts_with("mpirun");
}

}  // namespace

Words told_apart(std::string_view text) {
  Words words;
  bool framed = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (is_ruler(line)) {
      framed = !framed;
      continue;
    }
    if (const auto mark = line.find(kExitMark); mark != std::string_view::npos) {
      if (!words.exit_code) words.exit_code = std::atoi(std::string(line.substr(mark + 1)).c_str());
      continue;
    }
    if (framed || names_a_process(line))
      (words.launcher += line) += '\n';
    else if (!words.exit_code)
      (words.ranks += line) += '\n';
  }
  return words;
}

std::optional<Error> killed_rank(std::string_view launcher) {
  static const std::regex kKilled(R"(process rank (\d+)[\s\S]*?exited\s+on\s+signal\s+(\d+)\s*(\([^)]*\))?)");
  std::match_results<std::string_view::const_iterator> found;
  if (!std::regex_search(launcher.begin(), launcher.end(), found, kKilled)) return std::nullopt;
  Error error = input_error("rank " + found[1].str() + " was ended by signal " + found[2].str() +
                            (found[3].matched ? " " + found[3].str() : std::string()));
  error.kind = ErrorKind::environment;
  if (found[2].str() == "9") error.details.push_back("the system does so when memory runs out; see its log");
  error.details.push_back("the other ranks were ended; nothing was written");
  return error;
}

}  // namespace tpsim::exec
