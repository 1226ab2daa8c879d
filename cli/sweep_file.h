// Where a sweep's rows go: standard output, or a file that has its name only once it is whole.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/result.h"

namespace tpsim::cli {

class SweepFile {
public:
  // "-" or no path: standard output. Else rows go to PATH.part; with `resume` after the whole lines that are there.
  // Errors: cannot be written, nothing to resume.
  static Result<SweepFile> open(const std::string& path, bool resume);
  ~SweepFile();
  SweepFile(SweepFile&& other) noexcept;
  SweepFile& operator=(SweepFile&&) = delete;

  std::int64_t lines() const { return lines_; }           // kept from before
  const std::string& last_line() const { return last_; }  // of those
  // False: nobody reads any more.
  Result<bool> write(std::string_view text);
  Result<void> finish();  // gives the file its name
  const std::string& part() const { return part_; }

private:
  SweepFile() = default;
  std::string path_, part_, last_;
  std::int64_t lines_ = 0;
  std::FILE* file_ = nullptr;
};

}  // namespace tpsim::cli
