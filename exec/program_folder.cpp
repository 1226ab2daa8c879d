#include "exec/program_folder.h"

#include <filesystem>
#include <system_error>

namespace tpsim::exec {

std::string program_path() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed).string();
}

std::optional<std::string> beside_program(const std::vector<std::string>& candidates) {
  const std::filesystem::path folder = std::filesystem::path(program_path()).parent_path();
  for (const std::string& candidate : candidates) {
    std::error_code failed;
    if (std::filesystem::exists(folder / candidate, failed)) return (folder / candidate).string();
  }
  return std::nullopt;
}

}  // namespace tpsim::exec
