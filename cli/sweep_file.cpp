#include "cli/sweep_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/output.h"

namespace tpsim::cli {
namespace {

Error file_error(const std::string& path, const char* what) {
  return Error{
      ErrorKind::environment, {}, std::string("cannot ") + what + " " + path + ": " + std::strerror(errno), {}, {}, {}};
}

// /dev/null, a pipe: nothing can take their place.
bool is_special(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

struct Kept {
  std::int64_t lines = 0;
  long bytes = 0;  // up to the end of the last whole line
  std::string last;
};

Kept whole_lines(std::FILE* file) {
  Kept kept;
  std::string line;
  long at = 0;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    ++at;
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    kept = {kept.lines + 1, at, std::move(line)};
    line.clear();
  }
  return kept;
}

}  // namespace

Result<SweepFile> SweepFile::open(const std::string& path, bool resume) {
  SweepFile out;
  if (path.empty() || path == "-") return out;
  out.path_ = path;
  out.part_ = is_special(path) ? path : path + ".part";
  out.file_ = std::fopen(out.part_.c_str(), resume ? "r+" : "w");
  if (out.file_ == nullptr && resume && errno == ENOENT) {
    Error error = usage_error("--resume: there is no " + out.part_);
    error.fixes = {"start it without --resume"};
    return error;
  }
  if (out.file_ == nullptr) return file_error(out.part_, "write");
  if (!resume) return out;
  Kept kept = whole_lines(out.file_);
  if (std::fseek(out.file_, kept.bytes, SEEK_SET) != 0 || ftruncate(fileno(out.file_), kept.bytes) != 0)
    return file_error(out.part_, "continue");
  out.lines_ = kept.lines;
  out.last_ = std::move(kept.last);
  return out;
}

SweepFile::SweepFile(SweepFile&& o) noexcept
    : path_(std::move(o.path_)),
      part_(std::move(o.part_)),
      last_(std::move(o.last_)),
      lines_(o.lines_),
      file_(std::exchange(o.file_, nullptr)) {}

SweepFile::~SweepFile() {
  if (file_ != nullptr) std::fclose(file_);
}

Result<bool> SweepFile::write(std::string_view text) {
  if (file_ == nullptr) return write_stdout(text);
  if (std::fwrite(text.data(), 1, text.size(), file_) == text.size()) return true;
  return file_error(part_, "write");
}

Result<void> SweepFile::finish() {
  if (file_ == nullptr) return {};
  const int closed = std::fclose(std::exchange(file_, nullptr));
  if (closed != 0) return file_error(part_, "write");
  if (part_ != path_ && std::rename(part_.c_str(), path_.c_str()) != 0) return file_error(path_, "write");
  return {};
}

}  // namespace tpsim::cli
