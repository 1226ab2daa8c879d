// The bytes of a safetensors file that describe it, read with care. Used by the safetensors readers only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/safetensors.h"

namespace tpsim {

struct HeaderText {
  std::string json;             // the header
  std::int64_t data_begin = 0;  // offset of the data in the file
  std::int64_t file_size = 0;
};

// Reads 8 bytes and the header, nothing else. Errors: not a regular file, too short, something else than safetensors,
// a header length beyond the file or the limit.
Result<HeaderText> read_header_text(const std::string& path, const SafetensorsLimits& limits);

// The size of a file that can be opened and read to its end (no folder, pipe or device).
Result<std::int64_t> regular_file_size(const std::string& path);
// At most `length` bytes from the start of a file.
Result<std::string> read_beginning(const std::string& path, std::int64_t length);
bool is_lfs_pointer(const std::string& beginning);

// "file.safetensors WHAT", placed at the file.
Error file_error(const std::string& path, const std::string& what);
std::string with_separators(std::uint64_t value);  // "4,976,698,672"

}  // namespace tpsim
