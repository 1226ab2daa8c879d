#include "core/data_folders.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace tpsim {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{64} << 20;
constexpr std::uintmax_t kMaxTotalBytes = std::uintmax_t{256} << 20;
constexpr std::size_t kMaxFiles = 20000;

bool is_data_file(const fs::path& path) { return path.extension() == ".json" || path.extension() == ".py"; }

std::optional<std::string> read_text(const fs::path& path, std::uintmax_t size) {
  std::ifstream in(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in) return std::nullopt;
  return text;
}

class Reader {
public:
  void read_folder(const fs::path& root) {
    std::error_code error;
    if (!fs::is_directory(root, error)) {
      problem(root, error ? error.message() : "not a folder");
      return;
    }
    for (const char* part : {"plans", "sim/hardware", "sim/calibration", "sim/stacks"}) {
      if (fs::is_directory(root / part, error)) read_tree(root, root / part);
    }
  }

  DataFolders take() { return std::move(result_); }

private:
  void read_tree(const fs::path& root, const fs::path& start) {
    std::error_code error;
    std::vector<fs::path> found;
    fs::recursive_directory_iterator entry(start, error);
    for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
      std::error_code unreadable;
      if (is_data_file(entry->path()) && entry->is_regular_file(unreadable)) found.push_back(entry->path());
      if (found.size() > kMaxFiles) break;
    }
    if (error) problem(start, error.message());
    std::sort(found.begin(), found.end());
    for (const fs::path& path : found) read_file(path.lexically_relative(root).generic_string(), path);
  }

  void read_file(const std::string& name, const fs::path& path) {
    if (result_.files.contains(name)) return;
    std::error_code error;
    const std::uintmax_t size = fs::file_size(path, error);
    if (error) return problem(path, error.message());
    if (size > kMaxFileBytes) return problem(path, "over 64 MiB");
    if (size > kMaxTotalBytes - bytes_) return problem(path, "over 256 MiB with the files before it");
    if (result_.files.size() == kMaxFiles) return problem(path, "more than 20,000 files");
    std::optional<std::string> text = read_text(path, size);
    if (!text) return problem(path, "cannot be read");
    bytes_ += size;
    result_.files.emplace(name, DataFile{path.string(), *std::move(text)});
  }

  void problem(const fs::path& path, const std::string& what) {
    result_.problems.push_back("TPSIM_DATA: " + path.string() + ": " + what);
  }

  DataFolders result_;
  std::uintmax_t bytes_ = 0;
};

}  // namespace

DataFolders read_data_folders(std::string_view folders) {
  Reader reader;
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    if (end > 0) reader.read_folder(fs::path(folders.substr(0, end)));
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return reader.take();
}

}  // namespace tpsim
