// A file's bytes in memory, read by the system as they are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"

namespace tpsim::exec {

class MappedFile {
public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Whether the file was written to or cut off since it was opened: what was read of it may be anything. Bytes that are
  // no longer there read as zeros; the process lives on.
  bool changed() const;
  Error changed_error() const;

private:
  MappedFile(std::string path, int file, const std::byte* data, std::size_t size, std::int64_t written);
  std::string path_;
  int file_ = -1;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::int64_t written_ = 0;  // nanoseconds
};

}  // namespace tpsim::exec
