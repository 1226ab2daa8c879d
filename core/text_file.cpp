#include "core/text_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <istream>
#include <optional>

#include "core/source_text.h"

namespace tpsim {

namespace fs = std::filesystem;

namespace {

Error file_error(const std::string& path, const std::string& what, const char* fix = nullptr) {
  Error error = input_error((path.empty() ? "\"\"" : path) + " " + what);
  if (fix != nullptr) error.fixes.emplace_back(fix);
  return error;
}

Error too_large(const std::string& name, std::size_t limit) {
  return input_error(name + " is larger than " + std::to_string(limit) + " bytes, the limit for such a file");
}

// Why `path` is not a file that can be read to its end; none for a regular file.
std::optional<Error> unreadable(const std::string& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  switch (status.type()) {
    case fs::file_type::regular: return std::nullopt;
    case fs::file_type::directory: return file_error(path, "is a folder, not a file");
    case fs::file_type::not_found: {
      const fs::path target =
          fs::is_symlink(fs::symlink_status(path, code)) ? fs::read_symlink(path, code) : fs::path();
      if (!target.empty()) return file_error(path, "is a link to " + target.string() + ", which does not exist");
      return file_error(path, "does not exist");
    }
    case fs::file_type::none: return file_error(path, "cannot be read: " + code.message());
    case fs::file_type::symlink:
    case fs::file_type::block:
    case fs::file_type::character:
    case fs::file_type::fifo:
    case fs::file_type::socket:
    case fs::file_type::unknown: break;
  }
  return file_error(path, "is a pipe or device, not a regular file", "\"-\" reads standard input");
}

// Up to limit + 1 bytes, so that too much can be told from just enough.
std::string read_up_to(std::istream& in, std::size_t limit) {
  constexpr std::size_t kChunk = 64u << 10;
  std::string text;
  while (in && text.size() <= limit) {
    const std::size_t before = text.size();
    text.resize(before + std::min(kChunk, limit + 1 - before));
    in.read(text.data() + before, static_cast<std::streamsize>(text.size() - before));
    text.resize(before + static_cast<std::size_t>(in.gcount()));
  }
  return text;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t limit) {
  if (auto error = unreadable(path)) return *std::move(error);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return file_error(path, "cannot be opened: " + std::string(std::strerror(errno)));
  std::string text = read_up_to(in, limit);
  if (text.size() > limit) return too_large(path, limit);
  if (in.bad()) return file_error(path, "cannot be read to its end");
  return text;
}

Result<std::string> read_standard_input(std::size_t limit) {
  std::string text = read_up_to(std::cin, limit);
  if (text.size() > limit) return too_large("standard input", limit);
  return text;
}

}  // namespace tpsim
