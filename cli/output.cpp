#include "cli/output.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tpsim::cli {
namespace {

Error write_error(const std::string& path, int reason) {
  return Error{ErrorKind::environment, {}, "cannot write " + path + ": " + std::strerror(reason), {}, {}, {}};
}

// 0, or errno.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

// Special files (/dev/null, a pipe) cannot be replaced by a renamed file.
bool is_special(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

Result<void> write_directly(const std::string& path, std::string_view text) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return write_error(path, errno);
  const int failure = write_all(descriptor, text);
  close(descriptor);
  if (failure != 0) return write_error(path, failure);
  return {};
}

int finish_temporary(int descriptor, const std::string& temporary, const std::string& path, std::string_view text) {
  int failure = write_all(descriptor, text);
  struct stat old {};
  const mode_t mask = umask(0);
  umask(mask);
  const mode_t mode = stat(path.c_str(), &old) == 0 ? old.st_mode & 07777 : 0666 & ~mask;
  if (failure == 0 && fchmod(descriptor, mode) != 0) failure = errno;
  if (close(descriptor) != 0 && failure == 0) failure = errno;
  if (failure == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
  return failure;
}

}  // namespace

Format output_format(const Options& options) {
  if (options.format) return *options.format;
  const std::string_view file = options.output ? std::string_view(*options.output) : std::string_view();
  const auto dot = file.rfind('.');
  const auto extension = dot == std::string_view::npos ? std::string_view() : file.substr(dot + 1);
  if (extension == "json") return Format::json;
  if (extension == "ndjson" || extension == "jsonl") return Format::ndjson;
  if (extension == "csv") return Format::csv;
  if (extension == "sarif") return Format::sarif;
  if (extension == "md") return Format::markdown;
  if (extension == "html" || extension == "htm") return Format::html;
  return Format::table;
}

Result<void> write_file(const std::string& path, std::string_view text) {
  if (path == "-") {
    const auto written = write_stdout(text);
    if (!written) return written.error();
    return {};
  }
  if (is_special(path)) return write_directly(path, text);
  std::string temporary = path + ".XXXXXX";
  const int descriptor = mkstemp(temporary.data());
  if (descriptor < 0) return write_error(path, errno);
  const int failure = finish_temporary(descriptor, temporary, path, text);
  if (failure == 0) return {};
  unlink(temporary.c_str());
  return write_error(path, failure);
}

Result<bool> write_stdout(std::string_view text) {
  const int failure = write_all(STDOUT_FILENO, text);
  if (failure == EPIPE) return false;
  if (failure != 0) return write_error("standard output", failure);
  return true;
}

void write_stderr(std::string_view text) { write_all(STDERR_FILENO, text); }

bool page(std::string_view text) {
  winsize size{};
  const auto lines = std::count(text.begin(), text.end(), '\n');
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || lines < size.ws_row) return false;
  const char* pager = std::getenv("TPSIM_PAGER");
  if (pager == nullptr) pager = std::getenv("PAGER");
  if (pager == nullptr) pager = "less -FIRX";
  if (*pager == '\0') return false;
  FILE* const pipe = popen(pager, "w");
  if (pipe == nullptr) return false;
  std::fwrite(text.data(), 1, text.size(), pipe);
  constexpr int not_found = 127 << 8;
  return pclose(pipe) != not_found;
}

}  // namespace tpsim::cli
