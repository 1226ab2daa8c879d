#include "core/module_path.h"

#include <algorithm>

namespace tpsim {

std::vector<std::string> path_components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    parts.emplace_back(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return parts;
}

std::string full_path(std::string_view prefix, std::string_view module) {
  std::string path(prefix);
  if (!prefix.empty() && !module.empty()) path += '.';
  return path.append(module);
}

}  // namespace tpsim
