#include "core/data.h"

#include <cstdlib>
#include <set>

#include "core/data_folders.h"
#include "core/embed/embedded_data.h"

namespace tpsim {
namespace {

const DataFolders& added_data() {
  static const DataFolders folders = [] {
    const char* variable = std::getenv("TPSIM_DATA");
    return read_data_folders(variable != nullptr ? variable : "");
  }();
  return folders;
}

const DataFile* find_added(std::string_view path) {
  const auto found = added_data().files.find(path);
  return found != added_data().files.end() ? &found->second : nullptr;
}

}  // namespace

std::optional<std::string_view> find_data(std::string_view path) {
  if (const DataFile* file = find_added(path)) return file->text;
  const std::optional<EmbeddedFile> built_in = find_embedded(path);
  if (!built_in) return std::nullopt;
  return built_in->text;
}

std::string data_origin(std::string_view path) {
  if (const DataFile* file = find_added(path)) return file->file;
  return "built-in:" + std::string(path);
}

std::vector<std::string> list_data(std::string_view prefix) {
  std::set<std::string> paths;
  for (std::size_t i = embedded_lower_bound(prefix); i < embedded_count(); ++i) {
    const std::string_view path = embedded_file(i).path;
    if (!path.starts_with(prefix)) break;
    paths.emplace(path);
  }
  const auto& added = added_data().files;
  for (auto file = added.lower_bound(prefix); file != added.end() && file->first.starts_with(prefix); ++file) {
    paths.insert(file->first);
  }
  return {paths.begin(), paths.end()};
}

const std::vector<std::string>& data_problems() { return added_data().problems; }

}  // namespace tpsim
